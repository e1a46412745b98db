// neus_composite on the CPU: a ray at a time, rays shared out over threads.
#include <tuple>

#include "feature_rows.h"
#include "neus_composite_checks.h"

namespace scene3d {
namespace {

constexpr int64_t RAYS_A_THREAD = 32;

std::tuple<Tensor, Tensor, Tensor, Tensor> forward(const Tensor& sdf, const Tensor& cosine, const Tensor& length,
                                                   const Tensor& sharpness, const Tensor& features, const Tensor& distances,
                                                   const Tensor& offsets, double anneal) {
  const char* op = "neus_composite";
  const CompositeSizes size = neus_composite_sizes(op, sdf, cosine, length, sharpness, features, distances, offsets);
  const Tensor s = rows(sdf), c = rows(cosine), d = rows(length), f = rows(features), t = rows(distances), o = rows(offsets);
  check_offsets(op, o, size.rays, size.samples);
  Tensor seen = empty_like_shape(s, {size.rays, size.channels}), distance = empty_like_shape(s, {size.rays});
  Tensor total = empty_like_shape(s, {size.rays}), weights = empty_like_shape(s, {size.samples});
  with_scalar(s, [&](auto zero) {
    using T = decltype(zero);
    const NeusRays<T> in{read<T>(s), read<T>(c), read<T>(d), read<T>(f), read<T>(t), read<int64_t>(o), size};
    const T sharp = *read<T>(sharpness);
    with_channels(size.channels, [&](auto channels) {
      torch::stable::parallel_for(0, size.rays, RAYS_A_THREAD, [&](int64_t begin, int64_t end) {
        std::vector<T> alpha;
        for (int64_t ray = begin; ray < end; ++ray) {
          const int64_t first = in.offsets[ray], count = in.offsets[ray + 1] - first;
          alpha.resize(count);
          neus_composite_ray<channels()>(in.sections(first), sharp, T(anneal), alpha.data(), in.samples(first, count), OneLane{},
                                         write<T>(seen) + ray * size.channels, write<T>(distance) + ray, write<T>(total) + ray,
                                         write<T>(weights) + first);
        }
      });
    });
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
  const Tensor s = rows(sdf), c = rows(cosine), d = rows(length), f = rows(features), t = rows(distances), o = rows(offsets);
  const Tensor gf = rows(grad_features), gd = rows(grad_distance), go = rows(grad_opacity), gw = rows(grad_weights);
  check_offsets(op, o, size.rays, size.samples);
  Tensor to_sdf = empty_like_shape(s, {size.samples}), to_cosine = empty_like_shape(s, {size.samples});
  Tensor to_length = empty_like_shape(s, {size.samples}), to_distances = empty_like_shape(s, {size.samples});
  Tensor to_features = empty_like_shape(s, {size.samples, size.channels}), to_sharpness = empty_like_shape(s, {});
  with_scalar(s, [&](auto zero) {
    using T = decltype(zero);
    const NeusRays<T> in{read<T>(s), read<T>(c), read<T>(d), read<T>(f), read<T>(t), read<int64_t>(o), size};
    const T sharp = *read<T>(sharpness);
    const bool past = past_the_cache(write<T>(to_features), size.samples * size.channels);
    std::vector<double> sums(size.rays);  // added up in order, whatever the number of threads
    with_channels(size.channels, [&](auto channels) {
      torch::stable::parallel_for(0, size.rays, RAYS_A_THREAD, [&](int64_t begin, int64_t end) {
        std::vector<T> alpha, to_alpha;
        for (int64_t ray = begin; ray < end; ++ray) {
          const int64_t first = in.offsets[ray], count = in.offsets[ray + 1] - first;
          alpha.resize(count);
          to_alpha.resize(count);
          const RayGradients<T> grad{read<T>(gf) + ray * size.channels, read<T>(gd)[ray], read<T>(go)[ray], read<T>(gw) + first};
          const Sections<T> to{write<T>(to_sdf) + first, write<T>(to_cosine) + first, write<T>(to_length) + first};
          const FeatureRows<channels(), T> rows{write<T>(to_features) + first * size.channels, grad.seen, size.channels, past};
          sums[ray] = neus_composite_ray_backward<channels()>(
              in.sections(first), sharp, T(anneal), alpha.data(), to_alpha.data(), in.samples(first, count), grad, OneLane{}, to,
              rows, write<T>(to_distances) + first);
        }
        finish_writes();
      });
    });
    double total = 0;
    for (double sum : sums) total += sum;
    *write<T>(to_sharpness) = T(total);
  });
  return {to_sdf, to_cosine, to_length, to_sharpness, to_features, to_distances};
}

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(scene3d, CPU, m) {
  m.impl("neus_composite", TORCH_BOX(&forward));
  m.impl("neus_composite_backward", TORCH_BOX(&backward));
}

}  // namespace scene3d
