// neus_composite on CUDA: a warp a ray.
#include <tuple>

#include "launch.cuh"
#include "neus_composite_checks.h"

namespace scene3d {
namespace {

template <typename T>
__global__ void rays_forward(NeusRays<T> in, const T* sharpness, T anneal, T* alpha, T* seen, T* distance, T* total, T* weights) {
  for (int64_t ray = first_thread() / WARP; ray < in.size.rays; ray += all_threads() / WARP) {
    const PackedRay at = packed_ray(in.offsets, ray, in.size.samples);
    neus_composite_ray<0>(in.sections(at.first), *sharpness, anneal, alpha + at.first, in.samples(at.first, at.count), WarpLanes{},
                          seen + ray * in.size.channels, distance + ray, total + ray, weights + at.first);
  }
}

template <typename T>
__global__ void rays_backward(NeusRays<T> in, const T* sharpness, T anneal, T* alpha, T* to_alpha, const T* seen,
                              const T* distance, const T* total, const T* weights, Sections<T> to, T* to_features,
                              T* to_distances, double* sums) {
  for (int64_t ray = first_thread() / WARP; ray < in.size.rays; ray += all_threads() / WARP) {
    const PackedRay at = packed_ray(in.offsets, ray, in.size.samples);
    const RayGradients<T> grad{seen + ray * in.size.channels, distance[ray], total[ray], weights + at.first};
    const Sections<T> here{to.sdf + at.first, to.cosine + at.first, to.length + at.first};
    const double sum = neus_composite_ray_backward<0>(
        in.sections(at.first), *sharpness, anneal, alpha + at.first, to_alpha + at.first, in.samples(at.first, at.count), grad,
        WarpLanes{}, here, FeatureLanes<T>{to_features + at.first * in.size.channels, grad.seen, in.size.channels}, to_distances + at.first);
    if (WarpLanes{}.lane() == 0) sums[ray] = sum;
  }
}

std::tuple<Tensor, Tensor, Tensor, Tensor> forward(const Tensor& sdf, const Tensor& cosine, const Tensor& length,
                                                   const Tensor& sharpness, const Tensor& features, const Tensor& distances,
                                                   const Tensor& offsets, double anneal) {
  const char* op = "neus_composite";
  const CompositeSizes size = neus_composite_sizes(op, sdf, cosine, length, sharpness, features, distances, offsets);
  const OnDeviceOf device(sdf);
  const Tensor s = rows(sdf), c = rows(cosine), d = rows(length), f = rows(features), t = rows(distances), o = rows(offsets);
  Tensor seen = empty_like_shape(s, {size.rays, size.channels}), distance = empty_like_shape(s, {size.rays});
  Tensor total = empty_like_shape(s, {size.rays}), weights = empty_like_shape(s, {size.samples});
  Tensor alpha = empty_like_shape(s, {size.samples});
  with_scalar(s, [&](auto zero) {
    using T = decltype(zero);
    const NeusRays<T> in{read<T>(s), read<T>(c), read<T>(d), read<T>(f), read<T>(t), read<int64_t>(o), size};
    device.run(op, rays_forward<T>, size.rays * WARP, in, read<T>(sharpness), T(anneal), write<T>(alpha), write<T>(seen),
               write<T>(distance), write<T>(total), write<T>(weights));
  });
  return {seen, distance, total, weights};
}

std::tuple<Tensor, Tensor, Tensor, Tensor, Tensor, Tensor> backward(
    const Tensor& grad_features, const Tensor& grad_distance, const Tensor& grad_opacity, const Tensor& grad_weights,
    const Tensor& sdf, const Tensor& cosine, const Tensor& length, const Tensor& sharpness, const Tensor& features,
    const Tensor& distances, const Tensor& offsets, double anneal) {
  const char* op = "neus_composite_backward";
  const CompositeSizes size = neus_composite_sizes(op, sdf, cosine, length, sharpness, features, distances, offsets);
  check_composite_gradients(op, size, sdf, grad_features, grad_distance, grad_opacity, grad_weights);
  const OnDeviceOf device(sdf);
  const Tensor s = rows(sdf), c = rows(cosine), d = rows(length), f = rows(features), t = rows(distances), o = rows(offsets);
  const Tensor gf = rows(grad_features), gd = rows(grad_distance), go = rows(grad_opacity), gw = rows(grad_weights);
  Tensor to_sdf = empty_like_shape(s, {size.samples}), to_cosine = empty_like_shape(s, {size.samples});
  Tensor to_length = empty_like_shape(s, {size.samples}), to_distances = empty_like_shape(s, {size.samples});
  Tensor to_features = empty_like_shape(s, {size.samples, size.channels}), to_sharpness = empty_like_shape(s, {});
  Tensor alpha = empty_like_shape(s, {size.samples}), to_alpha = empty_like_shape(s, {size.samples});
  Tensor sums = torch::stable::new_empty(s, std::vector<int64_t>{size.rays}, Type::Double);
  with_scalar(s, [&](auto zero) {
    using T = decltype(zero);
    const NeusRays<T> in{read<T>(s), read<T>(c), read<T>(d), read<T>(f), read<T>(t), read<int64_t>(o), size};
    device.run(op, rays_backward<T>, size.rays * WARP, in, read<T>(sharpness), T(anneal), write<T>(alpha), write<T>(to_alpha),
               read<T>(gf), read<T>(gd), read<T>(go), read<T>(gw),
               Sections<T>{write<T>(to_sdf), write<T>(to_cosine), write<T>(to_length)}, write<T>(to_features),
               write<T>(to_distances), write<double>(sums));
    device.run(op, add_up<T>, 1, size.rays, read<double>(sums), write<T>(to_sharpness));
  });
  return {to_sdf, to_cosine, to_length, to_sharpness, to_features, to_distances};
}

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(scene3d, CUDA, m) {
  m.impl("neus_composite", TORCH_BOX(&forward));
  m.impl("neus_composite_backward", TORCH_BOX(&backward));
}

}  // namespace scene3d
