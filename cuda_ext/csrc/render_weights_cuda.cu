// render_weights on CUDA: a thread a ray.
#include "launch.cuh"
#include "render_weights_frame.h"

namespace scene3d {
namespace {

template <typename T>
__global__ void weigh(int64_t rays, int64_t samples, const T* opacity, T* weights) {
  for (int64_t ray = first_thread(); ray < rays; ray += all_threads())
    weigh_ray(opacity + ray * samples, samples, weights + ray * samples);
}

template <typename T>
__global__ void weigh_backward(int64_t rays, int64_t samples, const T* grad, const T* opacity, T* to_opacity) {
  for (int64_t ray = first_thread(); ray < rays; ray += all_threads())
    weigh_ray_backward(grad + ray * samples, opacity + ray * samples, samples, to_opacity + ray * samples);
}

struct Cuda : OnDeviceOf {
  using OnDeviceOf::OnDeviceOf;

  template <typename T>
  void forward(int64_t rays, int64_t samples, const T* opacity, T* weights) const {
    run("render_weights", weigh<T>, rays, rays, samples, opacity, weights);
  }

  template <typename T>
  void backward(int64_t rays, int64_t samples, const T* grad, const T* opacity, T* to_opacity) const {
    run("render_weights_backward", weigh_backward<T>, rays, rays, samples, grad, opacity, to_opacity);
  }
};

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(scene3d, CUDA, m) {
  m.impl("render_weights", TORCH_BOX(&render_weights<Cuda>));
  m.impl("render_weights_backward", TORCH_BOX(&render_weights_backward<Cuda>));
}

}  // namespace scene3d
