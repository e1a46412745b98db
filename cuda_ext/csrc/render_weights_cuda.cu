// render_weights on CUDA: a thread a ray.
#include "launch.cuh"
#include "render_weights.h"

namespace scene3d {
namespace {

int64_t rays_of(const Tensor& opacity) {
  int64_t rays = 1;
  for (int64_t i = 0; i + 1 < opacity.dim(); ++i) rays *= opacity.size(i);
  return rays;
}

template <typename T>
__global__ void weigh(const T* opacity, int64_t rays, int64_t samples, T* weights) {
  for (int64_t ray = first_thread(); ray < rays; ray += all_threads())
    weigh_ray(opacity + ray * samples, samples, weights + ray * samples);
}

template <typename T>
__global__ void weigh_backward(const T* grad, const T* opacity, int64_t rays, int64_t samples, T* to_opacity) {
  for (int64_t ray = first_thread(); ray < rays; ray += all_threads())
    weigh_ray_backward(grad + ray * samples, opacity + ray * samples, samples, to_opacity + ray * samples);
}

Tensor weights(const Tensor& opacity) {
  const char* op = "render_weights";
  check_floating(op, "opacity", opacity);
  STD_TORCH_CHECK(opacity.dim() >= 1, op, ": opacity: expected samples along the last axis, got a scalar");
  const OnDeviceOf device(opacity);
  const Tensor in = rows(opacity);
  Tensor out = torch::stable::empty_like(in);
  with_scalar(in, [&](auto zero) {
    using T = decltype(zero);
    device.run(op, weigh<T>, rays_of(in), read<T>(in), rays_of(in), in.size(in.dim() - 1), write<T>(out));
  });
  return out;
}

Tensor weights_backward(const Tensor& grad, const Tensor& opacity) {
  const char* op = "render_weights_backward";
  check_floating(op, "opacity", opacity);
  check_like(op, "grad", grad, opacity, "opacity");
  const OnDeviceOf device(opacity);
  const Tensor in = rows(opacity), above = rows(grad);
  Tensor out = torch::stable::empty_like(in);
  with_scalar(in, [&](auto zero) {
    using T = decltype(zero);
    device.run(op, weigh_backward<T>, rays_of(in), read<T>(above), read<T>(in), rays_of(in), in.size(in.dim() - 1),
               write<T>(out));
  });
  return out;
}

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(scene3d, CUDA, m) {
  m.impl("render_weights", TORCH_BOX(&weights));
  m.impl("render_weights_backward", TORCH_BOX(&weights_backward));
}

}  // namespace scene3d
