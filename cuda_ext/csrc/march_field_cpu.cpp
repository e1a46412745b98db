// march_field on the CPU: rays shared out over threads.
#include <tuple>

#include "march_field_checks.h"
#include "pixel_field_cpu.h"

namespace scene3d {
namespace {

using Maybe = std::optional<Tensor>;
constexpr int64_t RAYS_A_THREAD = 8;

template <typename T>
void points_of(const MarchRay<T>& ray, T* out) {
  for (int64_t s = 0; s < ray.samples; ++s) ray.point(s, out + 3 * s);
}

std::tuple<Tensor, Tensor, Tensor, Tensor, Tensor, Tensor> forward(
    const Tensor& folded, const Tensor& K, const Tensor& from_position, const Tensor& to_density, const Tensor& bias,
    const Tensor& origins, const Tensor& directions, const Tensor& distances, const Tensor& images, const Tensor& to_pixels,
    const Maybe& shown, int64_t height, int64_t width, double near, double far, bool capped) {
  const char* op = "march_field";
  const Extent extent{height, width, near, far};
  const FieldSizes s = field_sizes(op, folded, K, from_position, to_density, bias, extent);
  const MarchSizes m = march_sizes(op, s, folded, origins, directions, distances, images, to_pixels, shown);
  const Tensor map = rows(folded), k = rows(K), w = rows(from_position), d = rows(to_density), o = rows(origins);
  const Tensor v = rows(directions), t = rows(distances), i = rows(images), x = rows(to_pixels);
  const Maybe visible = shown ? Maybe(rows(*shown)) : Maybe();
  Tensor density = empty_like_shape(map, {s.batch, m.rays, m.samples}), weights = empty_like_shape(map, {s.batch, m.rays, m.samples});
  Tensor unknown = empty_like_shape(map, {s.batch, m.rays}), hidden = empty_like_shape(map, {s.batch, m.rays, s.hidden});
  Tensor colour = empty_like_shape(map, {s.batch, m.views, m.rays, 3}), share = empty_like_shape(map, {s.batch, m.views, m.rays});
  with_scalar(map, [&](auto zero) {
    using T = decltype(zero);
    const FieldPointers<T> field{s, extent, read<T>(map), read<T>(k), nullptr, nullptr, read<T>(bias)};
    const MarchPointers<T> in{m, read<T>(o), read<T>(v), read<T>(t), read<T>(i), read<T>(x), visible ? read<bool>(*visible) : nullptr, capped};
    const FieldNetwork<T> network(s, read<T>(w), read<T>(d));
    torch::stable::parallel_for(0, s.batch * m.rays, RAYS_A_THREAD, [&](int64_t begin, int64_t end) {
      FieldBlock<T> block(network, s, m.samples);
      std::vector<T> points(3 * m.samples), sum(network.columns);
      for (int64_t index = begin; index < end; ++index) {
        const MarchRay<T> ray = in.ray(index);
        points_of(ray, points.data());
        block.look(field.scene(index / m.rays), points.data(), m.samples);
        T *dense = write<T>(density) + index * m.samples, *weight = write<T>(weights) + index * m.samples;
        std::fill(sum.begin(), sum.end(), T(0));
        T through = 1, outside = 0;
        for (int64_t at = 0; at < m.samples; ++at) {
          dense[at] = softplus(block.logit[at]);
          const T opacity = ray.opacity(at, dense[at]);
          weight[at] = through * opacity;
          through *= 1 - opacity;
          if (!block.valid[at]) outside += weight[at];
          const T* row = block.hidden.data() + at * network.columns;
          for (int64_t c = 0; c < network.columns; ++c) sum[c] += weight[at] * row[c];
        }
        write<T>(unknown)[index] = outside;
        std::copy_n(sum.data(), s.hidden, write<T>(hidden) + index * s.hidden);
        for (int64_t view = 0; view < m.views; ++view) {
          const int64_t scene = index / m.rays * m.views + view, to = scene * m.rays + index % m.rays;
          look_along_ray<3>(in.view(scene), points.data(), weight, m.samples, 3, write<T>(colour) + 3 * to, write<T>(share) + to);
        }
      }
    });
  });
  return {density, weights, unknown, hidden, colour, share};
}

std::tuple<Tensor, Tensor, Tensor, Tensor> backward(
    const Tensor& grad_density, const Tensor& grad_weights, const Tensor& grad_unknown, const Tensor& grad_hidden,
    const Tensor& grad_colour, const Tensor& grad_share, const Tensor& folded, const Tensor& K, const Tensor& from_position,
    const Tensor& to_density, const Tensor& bias, const Tensor& origins, const Tensor& directions, const Tensor& distances,
    const Tensor& images, const Tensor& to_pixels, const Maybe& shown, int64_t height, int64_t width, double near, double far,
    bool capped) {
  const char* op = "march_field_backward";
  const Extent extent{height, width, near, far};
  const FieldSizes s = field_sizes(op, folded, K, from_position, to_density, bias, extent);
  const MarchSizes m = march_sizes(op, s, folded, origins, directions, distances, images, to_pixels, shown);
  check_march_gradients(op, m, folded, grad_density, grad_weights, grad_unknown, grad_hidden, grad_colour, grad_share);
  const Tensor map = rows(folded), k = rows(K), w = rows(from_position), d = rows(to_density), o = rows(origins);
  const Tensor v = rows(directions), t = rows(distances), i = rows(images), x = rows(to_pixels);
  const Tensor gd = rows(grad_density), gw = rows(grad_weights), gu = rows(grad_unknown), gh = rows(grad_hidden);
  const Tensor gc = rows(grad_colour), gs = rows(grad_share);
  const Maybe visible = shown ? Maybe(rows(*shown)) : Maybe();
  Tensor to_map = torch::stable::new_zeros(map, std::vector<int64_t>{s.batch, s.map_height, s.map_width, s.hidden});
  Tensor to_weights = empty_like_shape(map, {s.hidden, s.encoded}), to_dense = empty_like_shape(map, {s.hidden});
  Tensor to_bias = empty_like_shape(map, {});
  with_scalar(map, [&](auto zero) {
    using T = decltype(zero);
    const FieldPointers<T> field{s, extent, read<T>(map), read<T>(k), nullptr, nullptr, read<T>(bias)};
    const MarchPointers<T> in{m, read<T>(o), read<T>(v), read<T>(t), read<T>(i), read<T>(x), visible ? read<bool>(*visible) : nullptr, capped};
    const FieldNetwork<T> network(s, read<T>(w), read<T>(d));
    const int64_t each = std::max<int64_t>(512 / m.samples, 1);  // rays that a thread adds up before the map has its turn
    FieldGradient<T> gradient(s, network, each * m.samples);
    for (int64_t start = 0; start < s.batch * m.rays; start += FieldGradient<T>::BLOCKS * each) {
      gradient.begin_turn();
      torch::stable::parallel_for(0, FieldGradient<T>::BLOCKS, 1, [&](int64_t begin, int64_t end) {
        FieldBlock<T> block(network, s, m.samples);
        std::vector<T> points(3 * m.samples), worth(m.samples), through(m.samples);
        for (int64_t part = begin; part < end; ++part) {
          const int64_t last = std::min(start + (part + 1) * each, s.batch * m.rays);
          for (int64_t index = start + part * each; index < last; ++index) {
            const int64_t scene = index / m.rays;
            const MarchRay<T> ray = in.ray(index);
            points_of(ray, points.data());
            block.look(field.scene(scene), points.data(), m.samples);
            std::copy_n(read<T>(gw) + index * m.samples, m.samples, worth.data());
            for (int64_t view = scene * m.views; view < (scene + 1) * m.views; ++view) {
              const int64_t from = view * m.rays + index % m.rays;
              look_along_ray_backward<3>(in.view(view), points.data(), m.samples, 3, read<T>(gc) + 3 * from, read<T>(gs)[from], worth.data());
            }
            const T* above = read<T>(gh) + index * s.hidden;
            const T outside = read<T>(gu)[index];
            T light = 1;
            for (int64_t at = 0; at < m.samples; ++at) {
              const T* row = block.hidden.data() + at * network.columns;
              T along = 0;
#pragma omp simd reduction(+ : along)
              for (int64_t c = 0; c < s.hidden; ++c) along += row[c] * above[c];
              worth[at] += along + (block.valid[at] ? T(0) : outside);
              through[at] = light;
              light *= 1 - ray.opacity(at, softplus(block.logit[at]));
            }
            march_backward(ray, read<T>(gd) + index * m.samples, block.logit.data(),
                           reinterpret_cast<const bool*>(block.valid.data()), worth.data(), through.data());
            gradient.add(
                part, scene, block, m.samples, [&](int64_t at) { return worth[at]; },
                [&](int64_t at, T* row) {
                  for (int64_t c = 0; c < s.hidden; ++c) row[c] += through[at] * above[c];
                });
          }
        }
      });
      gradient.end_turn(write<T>(to_map));
    }
    gradient.network_sums(write<T>(to_weights), write<T>(to_dense), write<T>(to_bias));
  });
  return {to_map, to_weights, to_dense, to_bias};
}

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(scene3d, CPU, m) {
  m.impl("march_field", TORCH_BOX(&forward));
  m.impl("march_field_backward", TORCH_BOX(&backward));
}

}  // namespace scene3d
