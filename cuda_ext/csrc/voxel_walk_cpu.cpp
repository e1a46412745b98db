// voxel_walk on the CPU: rays shared out over threads, counted first and written next.
#include "voxel_walk_frame.h"

namespace scene3d {
namespace {

constexpr int64_t RAYS_A_THREAD = 64;

struct Cpu : OnHost {
  using OnHost::OnHost;

  template <typename T>
  void count(const Grid<T>& grid, const Rays<T>& rays, int64_t* counts) const {
    torch::stable::parallel_for(0, rays.count, RAYS_A_THREAD, [&](int64_t begin, int64_t end) {
      for (int64_t ray = begin; ray < end; ++ray) counts[ray] = count_cells(grid, rays, ray);
    });
  }

  template <typename T>
  void fill(const Grid<T>& grid, const Rays<T>& rays, const int64_t* offsets, const Walked<T>& out) const {
    torch::stable::parallel_for(0, rays.count, RAYS_A_THREAD, [&](int64_t begin, int64_t end) {
      for (int64_t ray = begin; ray < end; ++ray) write_cells(grid, rays, ray, offsets, out);
    });
  }
};

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(scene3d, CPU, m) {
  m.impl("voxel_walk_count", TORCH_BOX(&voxel_walk_count<Cpu>));
  m.impl("voxel_walk_fill", TORCH_BOX(&voxel_walk_fill<Cpu>));
}

}  // namespace scene3d
