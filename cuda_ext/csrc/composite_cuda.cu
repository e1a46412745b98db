// composite on CUDA: a warp a ray, its lanes share out the channels.
#include "composite_checks.h"
#include "launch.cuh"

namespace scene3d {
namespace {

using Maybe = std::optional<Tensor>;

template <typename T>
struct Packed {
  const T *opacity, *features, *distances, *lengths;
  const int64_t* offsets;
  int64_t rays, samples, channels;

  __device__ Samples<T> ray(int64_t r, int64_t* first) const {
    const PackedRay at = packed_ray(offsets, r, samples);
    const int64_t from = *first = at.first;
    return {opacity + from, features + from * channels, distances + from, lengths ? lengths + from : nullptr, at.count,
            channels};
  }
};

template <typename T>
__global__ void composite_rays(Packed<T> in, T* seen, T* distance, T* total, T* weights) {
  for (int64_t r = first_thread() / WARP; r < in.rays; r += all_threads() / WARP) {
    int64_t first;
    const Samples<T> ray = in.ray(r, &first);
    composite_ray<0>(ray, WarpLanes{}, seen + r * in.channels, distance + r, total + r, weights + first);
  }
}

template <typename T>
__global__ void composite_rays_backward(Packed<T> in, const T* seen, const T* distance, const T* total, const T* weights,
                                        T* to_opacity, T* to_features, T* to_distances, T* to_lengths) {
  for (int64_t r = first_thread() / WARP; r < in.rays; r += all_threads() / WARP) {
    int64_t first;
    const Samples<T> ray = in.ray(r, &first);
    const RayGradients<T> grad{seen + r * in.channels, distance[r], total[r], weights + first};
    composite_ray_backward<0>(ray, grad, WarpLanes{}, to_opacity + first,
                              FeatureLanes<T>{to_features + first * in.channels, grad.seen, in.channels}, to_distances + first, to_lengths ? to_lengths + first : nullptr);
  }
}

std::tuple<Tensor, Tensor, Tensor, Tensor> forward(const Tensor& opacity, const Tensor& features, const Tensor& distances,
                                                   const Tensor& offsets, const Maybe& lengths) {
  const char* op = "composite";
  const CompositeSizes size = composite_sizes(op, opacity, features, distances, offsets, lengths);
  const OnDeviceOf device(opacity);
  const Tensor a = rows(opacity), f = rows(features), t = rows(distances), o = rows(offsets);
  const Maybe l = lengths ? Maybe(rows(*lengths)) : Maybe();
  Tensor seen = empty_like_shape(a, {size.rays, size.channels}), distance = empty_like_shape(a, {size.rays});
  Tensor total = empty_like_shape(a, {size.rays}), weights = empty_like_shape(a, {size.samples});
  with_scalar(a, [&](auto zero) {
    using T = decltype(zero);
    const Packed<T> in{read<T>(a), read<T>(f), read<T>(t), l ? read<T>(*l) : nullptr, read<int64_t>(o),
                       size.rays, size.samples, size.channels};
    device.run(op, composite_rays<T>, size.rays * WARP, in, write<T>(seen), write<T>(distance), write<T>(total),
               write<T>(weights));
  });
  return {seen, distance, total, weights};
}

std::tuple<Tensor, Tensor, Tensor, Tensor> backward(const Tensor& grad_features, const Tensor& grad_distance,
                                                    const Tensor& grad_opacity, const Tensor& grad_weights,
                                                    const Tensor& opacity, const Tensor& features, const Tensor& distances,
                                                    const Tensor& offsets, const Maybe& lengths) {
  const char* op = "composite_backward";
  const CompositeSizes size = composite_sizes(op, opacity, features, distances, offsets, lengths);
  check_composite_gradients(op, size, opacity, grad_features, grad_distance, grad_opacity, grad_weights);
  const OnDeviceOf device(opacity);
  const Tensor a = rows(opacity), f = rows(features), t = rows(distances), o = rows(offsets);
  const Tensor gf = rows(grad_features), gd = rows(grad_distance), go = rows(grad_opacity), gw = rows(grad_weights);
  const Maybe l = lengths ? Maybe(rows(*lengths)) : Maybe();
  Tensor to_opacity = empty_like_shape(a, {size.samples}), to_features = empty_like_shape(a, {size.samples, size.channels});
  Tensor to_distances = empty_like_shape(a, {size.samples}), to_lengths = empty_like_shape(a, {l ? size.samples : 0});
  with_scalar(a, [&](auto zero) {
    using T = decltype(zero);
    const Packed<T> in{read<T>(a), read<T>(f), read<T>(t), l ? read<T>(*l) : nullptr, read<int64_t>(o),
                       size.rays, size.samples, size.channels};
    device.run(op, composite_rays_backward<T>, size.rays * WARP, in, read<T>(gf), read<T>(gd), read<T>(go), read<T>(gw),
               write<T>(to_opacity), write<T>(to_features), write<T>(to_distances), l ? write<T>(to_lengths) : nullptr);
  });
  return {to_opacity, to_features, to_distances, to_lengths};
}

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(scene3d, CUDA, m) {
  m.impl("composite", TORCH_BOX(&forward));
  m.impl("composite_backward", TORCH_BOX(&backward));
}

}  // namespace scene3d
