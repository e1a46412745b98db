// composite on the CPU: a ray at a time, rays shared out over threads.
#include "composite_checks.h"
#include "feature_rows.h"

namespace scene3d {
namespace {

constexpr int64_t RAYS_A_THREAD = 32;
using Maybe = std::optional<Tensor>;

std::tuple<Tensor, Tensor, Tensor, Tensor> forward(const Tensor& opacity, const Tensor& features, const Tensor& distances,
                                                   const Tensor& offsets, const Maybe& lengths) {
  const CompositeSizes size = composite_sizes("composite", opacity, features, distances, offsets, lengths);
  const Tensor a = rows(opacity), f = rows(features), t = rows(distances), o = rows(offsets);
  const Maybe l = lengths ? Maybe(rows(*lengths)) : Maybe();
  check_offsets("composite", o, size.rays, size.samples);
  Tensor seen = empty_like_shape(a, {size.rays, size.channels}), distance = empty_like_shape(a, {size.rays});
  Tensor total = empty_like_shape(a, {size.rays}), weights = empty_like_shape(a, {size.samples});
  with_scalar(a, [&](auto zero) {
    using T = decltype(zero);
    with_channels(size.channels, [&](auto channels) {
      torch::stable::parallel_for(0, size.rays, RAYS_A_THREAD, [&](int64_t begin, int64_t end) {
        for (int64_t ray = begin; ray < end; ++ray) {
          const int64_t first = read<int64_t>(o)[ray], count = read<int64_t>(o)[ray + 1] - first;
          const Samples<T> in{read<T>(a) + first, read<T>(f) + first * size.channels, read<T>(t) + first,
                              l ? read<T>(*l) + first : nullptr, count, size.channels};
          composite_ray<channels()>(in, OneLane{}, write<T>(seen) + ray * size.channels, write<T>(distance) + ray,
                                    write<T>(total) + ray, write<T>(weights) + first);
        }
      });
    });
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
  const Tensor a = rows(opacity), f = rows(features), t = rows(distances), o = rows(offsets);
  const Tensor gf = rows(grad_features), gd = rows(grad_distance), go = rows(grad_opacity), gw = rows(grad_weights);
  const Maybe l = lengths ? Maybe(rows(*lengths)) : Maybe();
  check_offsets(op, o, size.rays, size.samples);
  Tensor to_opacity = empty_like_shape(a, {size.samples}), to_features = empty_like_shape(a, {size.samples, size.channels});
  Tensor to_distances = empty_like_shape(a, {size.samples}), to_lengths = empty_like_shape(a, {l ? size.samples : 0});
  with_scalar(a, [&](auto zero) {
    using T = decltype(zero);
    const bool past = past_the_cache(write<T>(to_features), size.samples * size.channels);
    with_channels(size.channels, [&](auto channels) {
      torch::stable::parallel_for(0, size.rays, RAYS_A_THREAD, [&](int64_t begin, int64_t end) {
        for (int64_t ray = begin; ray < end; ++ray) {
          const int64_t first = read<int64_t>(o)[ray], count = read<int64_t>(o)[ray + 1] - first;
          const Samples<T> in{read<T>(a) + first, read<T>(f) + first * size.channels, read<T>(t) + first,
                              l ? read<T>(*l) + first : nullptr, count, size.channels};
          const RayGradients<T> grad{read<T>(gf) + ray * size.channels, read<T>(gd)[ray], read<T>(go)[ray],
                                     read<T>(gw) + first};
          const FeatureRows<channels(), T> rows{write<T>(to_features) + first * size.channels, grad.seen, size.channels, past};
          composite_ray_backward<channels()>(in, grad, OneLane{}, write<T>(to_opacity) + first, rows,
                                             write<T>(to_distances) + first, l ? write<T>(to_lengths) + first : nullptr);
        }
        finish_writes();
      });
    });
  });
  return {to_opacity, to_features, to_distances, to_lengths};
}

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(scene3d, CPU, m) {
  m.impl("composite", TORCH_BOX(&forward));
  m.impl("composite_backward", TORCH_BOX(&backward));
}

}  // namespace scene3d
