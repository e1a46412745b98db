// sample_views_composite on the CPU: rays shared out over threads; for the gradient of the maps, views and blocks of
// channels, whose gradients never meet, so that it is deterministic.
#include <algorithm>

#include "sample_views_composite_checks.h"

namespace scene3d {
namespace {

constexpr int64_t RAYS_A_THREAD = 16;
using Maybe = std::optional<Tensor>;

template <typename Body>
void with_look_channels(int64_t channels, const Body& body) {
  switch (channels) {
    case 3: return body(std::integral_constant<int, 3>{});
    case 4: return body(std::integral_constant<int, 4>{});
    case 16: return body(std::integral_constant<int, 16>{});
    case 32: return body(std::integral_constant<int, 32>{});
    case 64: return body(std::integral_constant<int, 64>{});
    default: return body(std::integral_constant<int, 0>{});
  }
}

std::tuple<Tensor, Tensor> forward(const Tensor& maps, const Tensor& points, const Tensor& to_pixels, const Tensor& weights,
                                   const Maybe& valid) {
  const LookSizes s = look_sizes("sample_views_composite", maps, points, to_pixels, weights, valid);
  const Tensor m = rows(maps), p = rows(points), k = rows(to_pixels), w = rows(weights);
  const Maybe v = valid ? Maybe(rows(*valid)) : Maybe();
  Tensor sums = empty_like_shape(m, {s.batch, s.views, s.rays, s.channels}), shares = empty_like_shape(m, {s.batch, s.views, s.rays});
  with_scalar(m, [&](auto zero) {
    using T = decltype(zero);
    const LookArrays<T> in{read<T>(m), read<T>(p), read<T>(k), read<T>(w), v ? read<bool>(*v) : nullptr};
    with_look_channels(s.channels, [&](auto channels) {
      torch::stable::parallel_for(0, s.batch * s.views * s.rays, RAYS_A_THREAD, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
          const int64_t view = i / s.rays, ray = view / s.views * s.rays + i % s.rays;
          look_along_ray<channels()>(in.view(s, view), in.points + ray * s.samples * 3, in.weights + ray * s.samples,
                                     s.samples, s.channels, write<T>(sums) + i * s.channels, write<T>(shares) + i);
        }
      });
    });
  });
  return {sums, shares};
}

Tensor weight_backward(const Tensor& grad, const Tensor& grad_share, const Tensor& maps, const Tensor& points,
                       const Tensor& to_pixels, const Tensor& weights, const Maybe& valid) {
  const char* op = "sample_views_composite_weight_backward";
  const LookSizes s = look_sizes(op, maps, points, to_pixels, weights, valid);
  check_shape(op, "grad", grad, {s.batch, s.views, s.rays, s.channels});
  check_shape(op, "grad_share", grad_share, {s.batch, s.views, s.rays});
  check_like(op, "grad", grad, maps, "maps");
  check_like(op, "grad_share", grad_share, maps, "maps");
  const Tensor m = rows(maps), p = rows(points), k = rows(to_pixels), g = rows(grad), h = rows(grad_share);
  const Maybe v = valid ? Maybe(rows(*valid)) : Maybe();
  Tensor out = torch::stable::new_zeros(m, std::vector<int64_t>{s.batch, s.rays, s.samples});
  with_scalar(m, [&](auto zero) {
    using T = decltype(zero);
    const LookArrays<T> in{read<T>(m), read<T>(p), read<T>(k), nullptr, v ? read<bool>(*v) : nullptr};
    with_look_channels(s.channels, [&](auto channels) {
      torch::stable::parallel_for(0, s.batch * s.rays, RAYS_A_THREAD, [&](int64_t begin, int64_t end) {
        for (int64_t ray = begin; ray < end; ++ray) {
          for (int64_t view = ray / s.rays * s.views; view < (ray / s.rays + 1) * s.views; ++view) {
            const int64_t i = view * s.rays + ray % s.rays;
            look_along_ray_backward<channels()>(in.view(s, view), in.points + ray * s.samples * 3, s.samples, s.channels,
                                                read<T>(g) + i * s.channels, read<T>(h)[i], write<T>(out) + ray * s.samples);
          }
        }
      });
    });
  });
  return out;
}

Tensor map_backward(const Tensor& grad, const Tensor& maps, const Tensor& points, const Tensor& to_pixels,
                    const Tensor& weights) {
  const char* op = "sample_views_composite_map_backward";
  const LookSizes s = look_sizes(op, maps, points, to_pixels, weights, Maybe());
  check_shape(op, "grad", grad, {s.batch, s.views, s.rays, s.channels});
  check_like(op, "grad", grad, maps, "maps");
  const Tensor m = rows(maps), p = rows(points), k = rows(to_pixels), w = rows(weights), g = rows(grad);
  Tensor out = torch::stable::new_zeros(m, std::vector<int64_t>{s.batch, s.views, s.height, s.width, s.channels});
  with_scalar(m, [&](auto zero) {
    using T = decltype(zero);
    const LookArrays<T> in{read<T>(m), read<T>(p), read<T>(k), read<T>(w), nullptr};
    const int64_t views = s.batch * s.views, threads = torch::stable::get_num_threads();
    // As many blocks of channels as it takes to keep the threads busy, but none narrower than a cache line.
    const int64_t blocks = std::clamp<int64_t>((threads + views - 1) / std::max<int64_t>(views, 1), 1, std::max<int64_t>(s.channels / 16, 1));
    torch::stable::parallel_for(0, views * blocks, 1, [&](int64_t begin, int64_t end) {
      for (int64_t job = begin; job < end; ++job) {
        const int64_t index = job / blocks, from = job % blocks * s.channels / blocks, to = (job % blocks + 1) * s.channels / blocks;
        const View<T> view = in.view(s, index);
        T* to_map = write<T>(out) + index * s.height * s.width * s.channels;
        for (int64_t r = 0; r < s.rays; ++r) {
          const int64_t ray = index / s.views * s.rays + r;
          const T* above = read<T>(g) + (index * s.rays + r) * s.channels;
          for (int64_t i = 0; i < s.samples; ++i) {
            bool seen;
            const Corners<T> corners = view.look(in.points + (ray * s.samples + i) * 3, &seen);
            T weight[4];
            corners.weights(weight);
            for (int c = 0; c < 4; ++c) {
              const T share = weight[c] * in.weights[ray * s.samples + i];
              T* cell = to_map + corners.cell[c] * s.channels;
              for (int64_t channel = from; channel < to; ++channel) cell[channel] += share * above[channel];
            }
          }
        }
      }
    });
  });
  return out;
}

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(scene3d, CPU, m) {
  m.impl("sample_views_composite", TORCH_BOX(&forward));
  m.impl("sample_views_composite_map_backward", TORCH_BOX(&map_backward));
  m.impl("sample_views_composite_weight_backward", TORCH_BOX(&weight_backward));
}

}  // namespace scene3d
