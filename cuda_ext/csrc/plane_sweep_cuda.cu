// plane_sweep on CUDA: a thread a hypothesis of a pixel, then a thread a pixel for the least of them.
#include <limits>
#include <tuple>

#include "launch.cuh"
#include "plane_sweep_checks.h"

namespace scene3d {
namespace {

template <bool DOT, typename T>
__global__ void costs(SweepSizes s, SweepArrays<T> in, T margin, T* cost, uint8_t* count) {
  const int64_t cells = s.height * s.width, source_cells = s.source_height * s.source_width;
  for (int64_t item = first_thread(); item < s.batch * s.hypotheses * cells; item += all_threads()) {
    const int64_t pixel = item % cells, d = item / cells % s.hypotheses, b = item / cells / s.hypotheses;
    const T x = T(pixel % s.width) + T(0.5), y = T(pixel / s.width) + T(0.5), depth = depth_of(s, in, b, d, pixel);
    T sum = 0;
    int seen = 0;
    for (int64_t view = b * s.views; view < (b + 1) * s.views; ++view) {
      const Epipolar<T> line(in.pixel_to_source + view * 9, in.shift + view * 3, x, y);
      T u, v;
      if (!line.at(depth, s.source_height, s.source_width, margin, &u, &v)) continue;
      sum += sweep_cost<0, DOT>(in.features + (b * cells + pixel) * s.channels,
                                in.sources + view * source_cells * s.channels,
                                corners_at(u, v, s.source_height, s.source_width), s.channels);
      ++seen;
    }
    cost[item] = seen ? sum / (T(seen) * T(s.channels)) : T(0);
    count[item] = static_cast<uint8_t>(seen);
  }
}

template <typename T>
__global__ void least(SweepSizes s, const T* cost, const uint8_t* count, int64_t* lowest, T* confidence) {
  const int64_t cells = s.height * s.width;
  for (int64_t item = first_thread(); item < s.batch * cells; item += all_threads()) {
    const int64_t first = item / cells * s.hypotheses * cells + item % cells;
    int64_t best = 0, known = 0;
    T value = std::numeric_limits<T>::infinity();
    for (int64_t d = 0; d < s.hypotheses; ++d) {
      if (!count[first + d * cells]) continue;
      ++known;
      if (cost[first + d * cells] < value) value = cost[first + d * cells], best = d;
    }
    lowest[item] = best;
    confidence[item] = T(known) / T(s.hypotheses > 0 ? s.hypotheses : 1);
  }
}

template <bool DOT, typename T>
__global__ void costs_backward(SweepSizes s, SweepArrays<T> in, T margin, const T* grad, T* to_features, T* to_sources) {
  const int64_t cells = s.height * s.width, source_cells = s.source_height * s.source_width;
  for (int64_t item = first_thread(); item < s.batch * s.hypotheses * cells; item += all_threads()) {
    const int64_t pixel = item % cells, d = item / cells % s.hypotheses, b = item / cells / s.hypotheses;
    if (grad[item] == 0) continue;
    const T x = T(pixel % s.width) + T(0.5), y = T(pixel / s.width) + T(0.5), depth = depth_of(s, in, b, d, pixel);
    const T* here = in.features + (b * cells + pixel) * s.channels;
    T* to_here = to_features + (b * cells + pixel) * s.channels;
    T u, v;
    int seen = 0;
    for (int64_t view = b * s.views; view < (b + 1) * s.views; ++view)
      seen += Epipolar<T>(in.pixel_to_source + view * 9, in.shift + view * 3, x, y)
                  .at(depth, s.source_height, s.source_width, margin, &u, &v);
    const T share = grad[item] / (T(seen > 0 ? seen : 1) * T(s.channels));
    for (int64_t view = b * s.views; view < (b + 1) * s.views; ++view) {
      const Epipolar<T> line(in.pixel_to_source + view * 9, in.shift + view * 3, x, y);
      if (!line.at(depth, s.source_height, s.source_width, margin, &u, &v)) continue;
      const auto corners = corners_at(u, v, s.source_height, s.source_width);
      T weight[4];
      corners.weights(weight);
      const int64_t first = view * source_cells;
      for (int64_t c = 0; c < s.channels; ++c) {
        T there = 0;
        for (int k = 0; k < 4; ++k) there += weight[k] * in.sources[(first + corners.cell[k]) * s.channels + c];
        const T difference = here[c] - there;
        const T slope = DOT ? share * there : share * T((difference > 0) - (difference < 0));
        const T pull = DOT ? share * here[c] : -slope;
        atomicAdd(to_here + c, slope);
        for (int k = 0; k < 4; ++k)
          atomicAdd(to_sources + (first + corners.cell[k]) * s.channels + c, weight[k] * pull);
      }
    }
  }
}

std::tuple<Tensor, Tensor, Tensor, Tensor> forward(const Tensor& features, const Tensor& sources,
                                                   const Tensor& pixel_to_source, const Tensor& shift,
                                                   const Tensor& depths, bool dot, double margin) {
  const char* op = "plane_sweep";
  const SweepSizes s = sweep_sizes(op, features, sources, pixel_to_source, shift, depths);
  const OnDeviceOf device(features);
  const Tensor f = rows(features), q = rows(sources), a = rows(pixel_to_source), t = rows(shift), z = rows(depths);
  Tensor cost = empty_like_shape(f, {s.batch, s.hypotheses, s.height, s.width});
  Tensor count = torch::stable::new_empty(f, std::vector<int64_t>{s.batch, s.hypotheses, s.height, s.width}, Type::Byte);
  Tensor lowest = torch::stable::new_empty(f, std::vector<int64_t>{s.batch, s.height, s.width}, Type::Long);
  Tensor confidence = empty_like_shape(f, {s.batch, s.height, s.width});
  with_scalar(f, [&](auto zero) {
    using T = decltype(zero);
    const SweepArrays<T> in{read<T>(f), read<T>(q), read<T>(a), read<T>(t), read<T>(z)};
    const int64_t pixels = s.batch * s.height * s.width;
    const auto kernel = dot ? costs<true, T> : costs<false, T>;
    device.run(op, kernel, pixels * s.hypotheses, s, in, T(margin), write<T>(cost), write<uint8_t>(count));
    device.run(op, least<T>, pixels, s, read<T>(cost), read<uint8_t>(count), write<int64_t>(lowest), write<T>(confidence));
  });
  return {cost, count, lowest, confidence};
}

std::tuple<Tensor, Tensor> backward(const Tensor& grad, const Tensor& features, const Tensor& sources,
                                    const Tensor& pixel_to_source, const Tensor& shift, const Tensor& depths, bool dot,
                                    double margin) {
  const char* op = "plane_sweep_backward";
  const SweepSizes s = sweep_sizes(op, features, sources, pixel_to_source, shift, depths);
  check_shape(op, "grad", grad, {s.batch, s.hypotheses, s.height, s.width});
  check_like(op, "grad", grad, features, "features");
  const OnDeviceOf device(features);
  const Tensor g = rows(grad), f = rows(features), q = rows(sources), a = rows(pixel_to_source), t = rows(shift);
  const Tensor z = rows(depths);
  Tensor to_features = torch::stable::new_zeros(f, std::vector<int64_t>{s.batch, s.height, s.width, s.channels});
  Tensor to_sources = torch::stable::new_zeros(
      f, std::vector<int64_t>{s.batch, s.views, s.source_height, s.source_width, s.channels});
  with_scalar(f, [&](auto zero) {
    using T = decltype(zero);
    const SweepArrays<T> in{read<T>(f), read<T>(q), read<T>(a), read<T>(t), read<T>(z)};
    const auto kernel = dot ? costs_backward<true, T> : costs_backward<false, T>;
    device.run(op, kernel, s.batch * s.hypotheses * s.height * s.width, s, in, T(margin), read<T>(g), write<T>(to_features),
               write<T>(to_sources));
  });
  return {to_features, to_sources};
}

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(scene3d, CUDA, m) {
  m.impl("plane_sweep", TORCH_BOX(&forward));
  m.impl("plane_sweep_backward", TORCH_BOX(&backward));
}

}  // namespace scene3d
