// grid_march on CUDA: a thread a ray, counted first and written next.
#include "grid_march_frame.h"
#include "launch.cuh"

namespace scene3d {
namespace {

template <typename T>
__global__ void count_rays(Cubes<T> cubes, Stride stride, Rays<T> rays, int64_t* counts) {
  for (int64_t ray = first_thread(); ray < rays.count; ray += all_threads())
    counts[ray] = count_steps(cubes, stride, rays, ray);
}

template <typename T>
__global__ void write_rays(Cubes<T> cubes, Stride stride, Rays<T> rays, const int64_t* offsets, Steps<T> out) {
  for (int64_t ray = first_thread(); ray < rays.count; ray += all_threads())
    write_steps(cubes, stride, rays, ray, offsets, out);
}

struct Cuda : OnDeviceOf {
  using OnDeviceOf::OnDeviceOf;

  template <typename T>
  void count(const Cubes<T>& cubes, const Stride& stride, const Rays<T>& rays, int64_t* counts) const {
    run("grid_march_count", count_rays<T>, rays.count, cubes, stride, rays, counts);
  }

  template <typename T>
  void fill(const Cubes<T>& cubes, const Stride& stride, const Rays<T>& rays, const int64_t* offsets, const Steps<T>& out) const {
    run("grid_march_fill", write_rays<T>, rays.count, cubes, stride, rays, offsets, out);
  }
};

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(scene3d, CUDA, m) {
  m.impl("grid_march_count", TORCH_BOX(&grid_march_count<Cuda>));
  m.impl("grid_march_fill", TORCH_BOX(&grid_march_fill<Cuda>));
}

}  // namespace scene3d
