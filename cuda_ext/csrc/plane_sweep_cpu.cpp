// plane_sweep on the CPU. Forward shares out rows of pixels over threads; backward shares out channels, whose
// gradients never meet, so that it is deterministic without a second copy of the sources' gradient.
#include <algorithm>
#include <limits>
#include <tuple>

#include "plane_sweep_checks.h"

namespace scene3d {
namespace {

template <int CHANNELS, bool DOT, typename T>
void sweep_pixel(const SweepSizes& s, const SweepArrays<T>& in, T margin, int64_t b, int64_t pixel, T* cost, uint8_t* count,
                 int64_t* lowest, T* confidence) {
  const int64_t cells = s.height * s.width, source_cells = s.source_height * s.source_width;
  const T x = T(pixel % s.width) + T(0.5), y = T(pixel / s.width) + T(0.5);
  const T* here = in.features + (b * cells + pixel) * s.channels;
  T* mine = cost + b * s.hypotheses * cells + pixel;
  uint8_t* seen_by = count + b * s.hypotheses * cells + pixel;
  for (int64_t d = 0; d < s.hypotheses; ++d) mine[d * cells] = 0, seen_by[d * cells] = 0;
  for (int64_t v = 0; v < s.views; ++v) {
    const int64_t view = b * s.views + v;
    const Epipolar<T> line(in.pixel_to_source + view * 9, in.shift + view * 3, x, y);
    const T* map = in.sources + view * source_cells * s.channels;
    for (int64_t d = 0; d < s.hypotheses; ++d) {
      T u, w;
      if (!line.at(depth_of(s, in, b, d, pixel), s.source_height, s.source_width, margin, &u, &w)) continue;
      const auto corners = corners_at(u, w, s.source_height, s.source_width);
      mine[d * cells] += sweep_cost<CHANNELS, DOT>(here, map, corners, s.channels);
      ++seen_by[d * cells];
    }
  }
  int64_t best = 0, known = 0;
  T least = std::numeric_limits<T>::infinity();
  for (int64_t d = 0; d < s.hypotheses; ++d) {
    if (!seen_by[d * cells]) continue;
    T& value = mine[d * cells];
    value /= T(seen_by[d * cells]) * T(s.channels);
    ++known;
    if (value < least) least = value, best = d;
  }
  lowest[b * cells + pixel] = best;
  confidence[b * cells + pixel] = T(known) / T(std::max<int64_t>(s.hypotheses, 1));
}

template <typename Body>
void with_sweep_channels(int64_t channels, const Body& body) {
  switch (channels) {
    case 16: return body(std::integral_constant<int, 16>{});
    case 32: return body(std::integral_constant<int, 32>{});
    case 64: return body(std::integral_constant<int, 64>{});
    default: return body(std::integral_constant<int, 0>{});
  }
}

std::tuple<Tensor, Tensor, Tensor, Tensor> forward(const Tensor& features, const Tensor& sources,
                                                   const Tensor& pixel_to_source, const Tensor& shift,
                                                   const Tensor& depths, bool dot, double margin) {
  const SweepSizes s = sweep_sizes("plane_sweep", features, sources, pixel_to_source, shift, depths);
  const Tensor f = rows(features), q = rows(sources), a = rows(pixel_to_source), t = rows(shift), z = rows(depths);
  Tensor cost = empty_like_shape(f, {s.batch, s.hypotheses, s.height, s.width});
  Tensor count = torch::stable::new_empty(f, std::vector<int64_t>{s.batch, s.hypotheses, s.height, s.width}, Type::Byte);
  Tensor lowest = torch::stable::new_empty(f, std::vector<int64_t>{s.batch, s.height, s.width}, Type::Long);
  Tensor confidence = empty_like_shape(f, {s.batch, s.height, s.width});
  with_scalar(f, [&](auto zero) {
    using T = decltype(zero);
    const SweepArrays<T> in{read<T>(f), read<T>(q), read<T>(a), read<T>(t), read<T>(z)};
    T* costs = write<T>(cost);
    auto* counts = write<uint8_t>(count);
    auto* best = write<int64_t>(lowest);
    T* sure = write<T>(confidence);
    with_sweep_channels(s.channels, [&](auto channels) {
      torch::stable::parallel_for(0, s.batch * s.height, 1, [&](int64_t begin, int64_t end) {
        for (int64_t row = begin; row < end; ++row) {
          const int64_t b = row / s.height, first = row % s.height * s.width;
          for (int64_t pixel = first; pixel < first + s.width; ++pixel) {
            if (dot) {
              sweep_pixel<channels(), true>(s, in, T(margin), b, pixel, costs, counts, best, sure);
            } else {
              sweep_pixel<channels(), false>(s, in, T(margin), b, pixel, costs, counts, best, sure);
            }
          }
        }
      });
    });
  });
  return {cost, count, lowest, confidence};
}

// Channels [from, to) of both gradients.
template <bool DOT, typename T>
void sweep_backward(const SweepSizes& s, const SweepArrays<T>& in, T margin, const T* grad, int64_t from, int64_t to, T* to_features,
                    T* to_sources) {
  const int64_t cells = s.height * s.width, source_cells = s.source_height * s.source_width;
  std::vector<Epipolar<T>> lines;
  lines.reserve(s.views);
  for (int64_t b = 0; b < s.batch; ++b) {
    for (int64_t pixel = 0; pixel < cells; ++pixel) {
      const T x = T(pixel % s.width) + T(0.5), y = T(pixel / s.width) + T(0.5);
      const T* here = in.features + (b * cells + pixel) * s.channels;
      T* to_here = to_features + (b * cells + pixel) * s.channels;
      lines.clear();
      for (int64_t v = b * s.views; v < (b + 1) * s.views; ++v)
        lines.emplace_back(in.pixel_to_source + v * 9, in.shift + v * 3, x, y);
      for (int64_t d = 0; d < s.hypotheses; ++d) {
        const T above = grad[(b * s.hypotheses + d) * cells + pixel];
        if (above == 0) continue;
        const T depth = depth_of(s, in, b, d, pixel);
        int64_t seen = 0;
        T u, w;
        for (const auto& line : lines) seen += line.at(depth, s.source_height, s.source_width, margin, &u, &w);
        if (!seen) continue;
        const T share = above / (T(seen) * T(s.channels));
        for (int64_t v = 0; v < s.views; ++v) {
          if (!lines[v].at(depth, s.source_height, s.source_width, margin, &u, &w)) continue;
          const auto corners = corners_at(u, w, s.source_height, s.source_width);
          T weight[4];
          corners.weights(weight);
          const int64_t first = (b * s.views + v) * source_cells;
          const T* map[4];
          T* to_map[4];
          for (int k = 0; k < 4; ++k) {
            map[k] = in.sources + (first + corners.cell[k]) * s.channels;
            to_map[k] = to_sources + (first + corners.cell[k]) * s.channels;
          }
          for (int64_t c = from; c < to; ++c) {
            const T there = weight[0] * map[0][c] + weight[1] * map[1][c] + weight[2] * map[2][c] + weight[3] * map[3][c];
            const T difference = here[c] - there;
            const T slope = DOT ? share * there : share * T((difference > 0) - (difference < 0));
            const T pull = DOT ? share * here[c] : -slope;
            to_here[c] += slope;
            // One after the other: at the border two corners are the same cell.
            to_map[0][c] += weight[0] * pull;
            to_map[1][c] += weight[1] * pull;
            to_map[2][c] += weight[2] * pull;
            to_map[3][c] += weight[3] * pull;
          }
        }
      }
    }
  }
}

std::tuple<Tensor, Tensor> backward(const Tensor& grad, const Tensor& features, const Tensor& sources,
                                    const Tensor& pixel_to_source, const Tensor& shift, const Tensor& depths, bool dot,
                                    double margin) {
  const char* op = "plane_sweep_backward";
  const SweepSizes s = sweep_sizes(op, features, sources, pixel_to_source, shift, depths);
  check_shape(op, "grad", grad, {s.batch, s.hypotheses, s.height, s.width});
  check_like(op, "grad", grad, features, "features");
  const Tensor g = rows(grad), f = rows(features), q = rows(sources), a = rows(pixel_to_source), t = rows(shift);
  const Tensor z = rows(depths);
  Tensor to_features = torch::stable::new_zeros(f, std::vector<int64_t>{s.batch, s.height, s.width, s.channels});
  Tensor to_sources = torch::stable::new_zeros(
      f, std::vector<int64_t>{s.batch, s.views, s.source_height, s.source_width, s.channels});
  with_scalar(f, [&](auto zero) {
    using T = decltype(zero);
    const SweepArrays<T> in{read<T>(f), read<T>(q), read<T>(a), read<T>(t), read<T>(z)};
    const int64_t threads = std::clamp<int64_t>(torch::stable::get_num_threads(), 1, std::max<int64_t>(s.channels / 8, 1));
    torch::stable::parallel_for(0, threads, 1, [&](int64_t begin, int64_t end) {
      for (int64_t part = begin; part < end; ++part) {
        const int64_t from = part * s.channels / threads, to = (part + 1) * s.channels / threads;
        T* here = write<T>(to_features);
        T* there = write<T>(to_sources);
        if (dot) {
          sweep_backward<true>(s, in, T(margin), read<T>(g), from, to, here, there);
        } else {
          sweep_backward<false>(s, in, T(margin), read<T>(g), from, to, here, there);
        }
      }
    });
  });
  return {to_features, to_sources};
}

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(scene3d, CPU, m) {
  m.impl("plane_sweep", TORCH_BOX(&forward));
  m.impl("plane_sweep_backward", TORCH_BOX(&backward));
}

}  // namespace scene3d
