// render_weights on the CPU: a ray at a time, rays shared out over threads.
#include "render_weights_frame.h"

namespace scene3d {
namespace {

constexpr int64_t RAYS_A_THREAD = 64;

struct Cpu : OnHost {
  using OnHost::OnHost;

  template <typename T>
  void forward(int64_t rays, int64_t samples, const T* opacity, T* weights) const {
    torch::stable::parallel_for(0, rays, RAYS_A_THREAD, [&](int64_t begin, int64_t end) {
      for (int64_t ray = begin; ray < end; ++ray) weigh_ray(opacity + ray * samples, samples, weights + ray * samples);
    });
  }

  template <typename T>
  void backward(int64_t rays, int64_t samples, const T* grad, const T* opacity, T* to_opacity) const {
    torch::stable::parallel_for(0, rays, RAYS_A_THREAD, [&](int64_t begin, int64_t end) {
      for (int64_t ray = begin; ray < end; ++ray)
        weigh_ray_backward(grad + ray * samples, opacity + ray * samples, samples, to_opacity + ray * samples);
    });
  }
};

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(scene3d, CPU, m) {
  m.impl("render_weights", TORCH_BOX(&render_weights<Cpu>));
  m.impl("render_weights_backward", TORCH_BOX(&render_weights_backward<Cpu>));
}

}  // namespace scene3d
