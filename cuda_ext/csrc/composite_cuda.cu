// composite on CUDA: a warp a ray, its lanes share out the channels.
#include "composite_frame.h"
#include "launch.cuh"

namespace scene3d {
namespace {

template <typename T, typename Stored>
__global__ void composite_rays(PackedSamples<T, Stored> in, Composited<T> out) {
  for (int64_t ray = first_thread() / WARP; ray < in.size.rays; ray += all_threads() / WARP) {
    const PackedRay at = packed_ray(in.offsets, ray, in.size.samples);
    composite_ray<0>(in.ray(at.first, at.count), WarpLanes{}, out.features + ray * in.size.channels, out.distance + ray,
                     out.opacity + ray, out.weights + at.first);
  }
}

template <typename T, typename Stored>
__global__ void composite_rays_backward(PackedSamples<T, Stored> in, CompositedAbove<T> above, ToSamples<T> to) {
  const int64_t width = in.size.channels;
  for (int64_t ray = first_thread() / WARP; ray < in.size.rays; ray += all_threads() / WARP) {
    const PackedRay at = packed_ray(in.offsets, ray, in.size.samples);
    const RayGradients<T> grad = above.ray(ray, at.first, width);
    composite_ray_backward<0>(in.ray(at.first, at.count), grad, WarpLanes{}, to.opacity + at.first,
                              FeatureLanes<T>{to.features + at.first * width, grad.seen, width}, to.distances + at.first,
                              to.lengths ? to.lengths + at.first : nullptr);
  }
}

struct Cuda : OnDeviceOf {
  using OnDeviceOf::OnDeviceOf;

  template <typename T, typename Stored>
  void forward(const PackedSamples<T, Stored>& in, const Composited<T>& out) const {
    run("composite", composite_rays<T, Stored>, in.size.rays * WARP, in, out);
  }

  template <typename T, typename Stored>
  void backward(const PackedSamples<T, Stored>& in, const CompositedAbove<T>& above, const ToSamples<T>& to) const {
    run("composite_backward", composite_rays_backward<T, Stored>, in.size.rays * WARP, in, above, to);
  }
};

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(scene3d, CUDA, m) {
  m.impl("composite", TORCH_BOX(&composite<Cuda>));
  m.impl("composite_backward", TORCH_BOX(&composite_backward<Cuda>));
}

}  // namespace scene3d
