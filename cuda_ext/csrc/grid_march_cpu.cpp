// grid_march on the CPU: rays shared out over threads, counted first and written next.
#include "grid_march_frame.h"

namespace scene3d {
namespace {

constexpr int64_t RAYS_A_THREAD = 32;

struct Cpu : OnHost {
  using OnHost::OnHost;

  template <typename T>
  void count(const Cubes<T>& cubes, const Stride& stride, const Rays<T>& rays, int64_t* counts) const {
    torch::stable::parallel_for(0, rays.count, RAYS_A_THREAD, [&](int64_t begin, int64_t end) {
      for (int64_t ray = begin; ray < end; ++ray) counts[ray] = count_steps(cubes, stride, rays, ray);
    });
  }

  template <typename T>
  void fill(const Cubes<T>& cubes, const Stride& stride, const Rays<T>& rays, const int64_t* offsets, const Steps<T>& out) const {
    torch::stable::parallel_for(0, rays.count, RAYS_A_THREAD, [&](int64_t begin, int64_t end) {
      for (int64_t ray = begin; ray < end; ++ray) write_steps(cubes, stride, rays, ray, offsets, out);
    });
  }
};

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(scene3d, CPU, m) {
  m.impl("grid_march_count", TORCH_BOX(&grid_march_count<Cpu>));
  m.impl("grid_march_fill", TORCH_BOX(&grid_march_fill<Cpu>));
}

}  // namespace scene3d
