// render_weights on the CPU: a ray at a time, rays shared out over threads.
#include "check.h"
#include "render_weights.h"

namespace scene3d {
namespace {

constexpr int64_t RAYS_A_THREAD = 64;

int64_t rays_of(const Tensor& opacity) {
  int64_t rays = 1;
  for (int64_t i = 0; i + 1 < opacity.dim(); ++i) rays *= opacity.size(i);
  return rays;
}

Tensor weights(const Tensor& opacity) {
  check_floating("render_weights", "opacity", opacity);
  STD_TORCH_CHECK(opacity.dim() >= 1, "render_weights: opacity: expected samples along the last axis, got a scalar");
  const Tensor in = rows(opacity);
  Tensor out = torch::stable::empty_like(in);
  const int64_t samples = in.size(in.dim() - 1);
  with_scalar(in, [&](auto zero) {
    using T = decltype(zero);
    const T* from = read<T>(in);
    T* to = write<T>(out);
    torch::stable::parallel_for(0, rays_of(in), RAYS_A_THREAD, [&](int64_t begin, int64_t end) {
      for (int64_t ray = begin; ray < end; ++ray) weigh_ray(from + ray * samples, samples, to + ray * samples);
    });
  });
  return out;
}

Tensor weights_backward(const Tensor& grad, const Tensor& opacity) {
  check_floating("render_weights_backward", "opacity", opacity);
  check_like("render_weights_backward", "grad", grad, opacity, "opacity");
  const Tensor in = rows(opacity), from_above = rows(grad);
  Tensor out = torch::stable::empty_like(in);
  const int64_t samples = in.size(in.dim() - 1);
  with_scalar(in, [&](auto zero) {
    using T = decltype(zero);
    const T* g = read<T>(from_above);
    const T* a = read<T>(in);
    T* to = write<T>(out);
    torch::stable::parallel_for(0, rays_of(in), RAYS_A_THREAD, [&](int64_t begin, int64_t end) {
      for (int64_t ray = begin; ray < end; ++ray) {
        const int64_t first = ray * samples;
        weigh_ray_backward(g + first, a + first, samples, to + first);
      }
    });
  });
  return out;
}

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(scene3d, CPU, m) {
  m.impl("render_weights", TORCH_BOX(&weights));
  m.impl("render_weights_backward", TORCH_BOX(&weights_backward));
}

}  // namespace scene3d
