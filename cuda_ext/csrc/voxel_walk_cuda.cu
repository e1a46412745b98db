// voxel_walk on CUDA: a thread a ray, counted first and written next.
#include "launch.cuh"
#include "voxel_walk_frame.h"

namespace scene3d {
namespace {

template <typename T>
__global__ void count_rays(Grid<T> grid, Rays<T> rays, int64_t* counts) {
  for (int64_t ray = first_thread(); ray < rays.count; ray += all_threads()) counts[ray] = count_cells(grid, rays, ray);
}

template <typename T>
__global__ void write_rays(Grid<T> grid, Rays<T> rays, const int64_t* offsets, Walked<T> out) {
  for (int64_t ray = first_thread(); ray < rays.count; ray += all_threads()) write_cells(grid, rays, ray, offsets, out);
}

struct Cuda : OnDeviceOf {
  using OnDeviceOf::OnDeviceOf;

  template <typename T>
  void count(const Grid<T>& grid, const Rays<T>& rays, int64_t* counts) const {
    run("voxel_walk_count", count_rays<T>, rays.count, grid, rays, counts);
  }

  template <typename T>
  void fill(const Grid<T>& grid, const Rays<T>& rays, const int64_t* offsets, const Walked<T>& out) const {
    run("voxel_walk_fill", write_rays<T>, rays.count, grid, rays, offsets, out);
  }
};

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(scene3d, CUDA, m) {
  m.impl("voxel_walk_count", TORCH_BOX(&voxel_walk_count<Cuda>));
  m.impl("voxel_walk_fill", TORCH_BOX(&voxel_walk_fill<Cuda>));
}

}  // namespace scene3d
