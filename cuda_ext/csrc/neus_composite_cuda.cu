// neus_composite on CUDA: a warp a ray.
#include "launch.cuh"
#include "neus_composite_frame.h"

namespace scene3d {
namespace {

template <typename T, typename Stored>
__global__ void rays_forward(NeusRays<T, Stored> in, T* alpha, Composited<T> out) {
  const CompositeSizes& size = in.samples.size;
  for (int64_t ray = first_thread() / WARP; ray < size.rays; ray += all_threads() / WARP) {
    const PackedRay at = packed_ray(in.samples.offsets, ray, size.samples);
    neus_composite_ray<0>(in.sections.from(at.first), *in.sharpness, in.anneal, alpha + at.first,
                          in.samples.ray(at.first, at.count), WarpLanes{}, out.features + ray * size.channels,
                          out.distance + ray, out.opacity + ray, out.weights + at.first);
  }
}

template <typename T, typename Stored>
__global__ void rays_backward(NeusRays<T, Stored> in, T* alpha, T* to_alpha, CompositedAbove<T> above, ToNeusRays<T> to,
                              double* sums) {
  const CompositeSizes& size = in.samples.size;
  for (int64_t ray = first_thread() / WARP; ray < size.rays; ray += all_threads() / WARP) {
    const PackedRay at = packed_ray(in.samples.offsets, ray, size.samples);
    const RayGradients<T> grad = above.ray(ray, at.first, size.channels);
    const double sum = neus_composite_ray_backward<0>(
        in.sections.from(at.first), *in.sharpness, in.anneal, alpha + at.first, to_alpha + at.first,
        in.samples.ray(at.first, at.count), grad, WarpLanes{}, to.sections.from(at.first),
        FeatureLanes<T>{to.features + at.first * size.channels, grad.seen, size.channels}, to.distances + at.first);
    if (WarpLanes{}.lane() == 0) sums[ray] = sum;
  }
}

struct Cuda : OnDeviceOf {
  using OnDeviceOf::OnDeviceOf;

  template <typename T, typename Stored>
  void forward(const NeusRays<T, Stored>& in, const Composited<T>& out) const {
    Tensor alpha = scratch(in.samples.size.samples);
    run("neus_composite", rays_forward<T, Stored>, in.samples.size.rays * WARP, in, write<T>(alpha), out);
  }

  template <typename T, typename Stored>
  void backward(const NeusRays<T, Stored>& in, const CompositedAbove<T>& above, const ToNeusRays<T>& to) const {
    const char* op = "neus_composite_backward";
    const CompositeSizes& size = in.samples.size;
    Tensor alpha = scratch(size.samples), to_alpha = scratch(size.samples), sums = scratch(size.rays, Type::Double);
    run(op, rays_backward<T, Stored>, size.rays * WARP, in, write<T>(alpha), write<T>(to_alpha), above, to, write<double>(sums));
    run(op, add_up<T>, 1, size.rays, read<double>(sums), to.sharpness);
  }
};

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(scene3d, CUDA, m) {
  m.impl("neus_composite", TORCH_BOX(&neus_composite<Cuda>));
  m.impl("neus_composite_backward", TORCH_BOX(&neus_composite_backward<Cuda>));
}

}  // namespace scene3d
