// sample_views_composite on CUDA: a warp a ray in a view, its lanes share out the channels; for the weights, a thread a
// sample.
#include "launch.cuh"
#include "sample_views_composite_checks.h"

namespace scene3d {
namespace {

using Maybe = std::optional<Tensor>;

template <typename T>
__global__ void look(LookSizes s, LookArrays<T> in, T* sums, T* shares) {
  const WarpLanes lanes;
  for (int64_t i = first_thread() / WARP; i < s.batch * s.views * s.rays; i += all_threads() / WARP) {
    const int64_t index = i / s.rays, ray = index / s.views * s.rays + i % s.rays;
    const View<T> view = in.view(s, index);
    for (int64_t c = lanes.lane(); c < s.channels; c += WARP) sums[i * s.channels + c] = 0;
    T total = 0;
    for (int64_t k = 0; k < s.samples; ++k) {
      bool seen;
      const T weight = in.weights[ray * s.samples + k];
      const Corners<T> corners = view.look(in.points + (ray * s.samples + k) * 3, &seen);
      T w[4];
      corners.weights(w);
      if (seen) total += weight;
      for (int64_t c = lanes.lane(); c < s.channels; c += WARP) {
        T value = 0;
        for (int corner = 0; corner < 4; ++corner) value += w[corner] * view.map[corners.cell[corner] * s.channels + c];
        sums[i * s.channels + c] += weight * value;
      }
    }
    if (lanes.lane() == 0) shares[i] = total;
  }
}

template <typename T>
__global__ void look_backward_weights(LookSizes s, LookArrays<T> in, const T* grad, const T* grad_share, T* to_weights) {
  for (int64_t item = first_thread(); item < s.batch * s.rays * s.samples; item += all_threads()) {
    const int64_t ray = item / s.samples, first = ray / s.rays * s.views;
    T worth = 0;
    for (int64_t index = first; index < first + s.views; ++index) {
      const int64_t i = index * s.rays + ray % s.rays;
      look_along_ray_backward<0>(in.view(s, index), in.points + item * 3, 1, s.channels, grad + i * s.channels, grad_share[i],
                                 &worth);
    }
    to_weights[item] = worth;
  }
}

template <typename T>
__global__ void look_backward_maps(LookSizes s, LookArrays<T> in, const T* grad, T* to_maps) {
  const WarpLanes lanes;
  for (int64_t item = first_thread() / WARP; item < s.batch * s.views * s.rays * s.samples; item += all_threads() / WARP) {
    const int64_t i = item / s.samples, index = i / s.rays, ray = index / s.views * s.rays + i % s.rays;
    const int64_t sample = ray * s.samples + item % s.samples;
    bool seen;
    const Corners<T> corners = in.view(s, index).look(in.points + sample * 3, &seen);
    T w[4];
    corners.weights(w);
    T* map = to_maps + index * s.height * s.width * s.channels;
    for (int64_t c = lanes.lane(); c < s.channels; c += WARP)
      for (int corner = 0; corner < 4; ++corner)
        atomicAdd(map + corners.cell[corner] * s.channels + c, w[corner] * in.weights[sample] * grad[i * s.channels + c]);
  }
}

std::tuple<Tensor, Tensor> forward(const Tensor& maps, const Tensor& points, const Tensor& to_pixels, const Tensor& weights,
                                   const Maybe& valid) {
  const char* op = "sample_views_composite";
  const LookSizes s = look_sizes(op, maps, points, to_pixels, weights, valid);
  const OnDeviceOf device(maps);
  const Tensor m = rows(maps), p = rows(points), k = rows(to_pixels), w = rows(weights);
  const Maybe v = valid ? Maybe(rows(*valid)) : Maybe();
  Tensor sums = empty_like_shape(m, {s.batch, s.views, s.rays, s.channels}), shares = empty_like_shape(m, {s.batch, s.views, s.rays});
  with_scalar(m, [&](auto zero) {
    using T = decltype(zero);
    const LookArrays<T> in{read<T>(m), read<T>(p), read<T>(k), read<T>(w), v ? read<bool>(*v) : nullptr};
    device.run(op, look<T>, s.batch * s.views * s.rays * WARP, s, in, write<T>(sums), write<T>(shares));
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
  const OnDeviceOf device(maps);
  const Tensor m = rows(maps), p = rows(points), k = rows(to_pixels), g = rows(grad), h = rows(grad_share);
  const Maybe v = valid ? Maybe(rows(*valid)) : Maybe();
  Tensor out = empty_like_shape(m, {s.batch, s.rays, s.samples});
  with_scalar(m, [&](auto zero) {
    using T = decltype(zero);
    const LookArrays<T> in{read<T>(m), read<T>(p), read<T>(k), nullptr, v ? read<bool>(*v) : nullptr};
    device.run(op, look_backward_weights<T>, s.batch * s.rays * s.samples, s, in, read<T>(g), read<T>(h), write<T>(out));
  });
  return out;
}

Tensor map_backward(const Tensor& grad, const Tensor& maps, const Tensor& points, const Tensor& to_pixels,
                    const Tensor& weights) {
  const char* op = "sample_views_composite_map_backward";
  const LookSizes s = look_sizes(op, maps, points, to_pixels, weights, Maybe());
  check_shape(op, "grad", grad, {s.batch, s.views, s.rays, s.channels});
  check_like(op, "grad", grad, maps, "maps");
  const OnDeviceOf device(maps);
  const Tensor m = rows(maps), p = rows(points), k = rows(to_pixels), w = rows(weights), g = rows(grad);
  Tensor out = torch::stable::new_zeros(m, std::vector<int64_t>{s.batch, s.views, s.height, s.width, s.channels});
  with_scalar(m, [&](auto zero) {
    using T = decltype(zero);
    const LookArrays<T> in{read<T>(m), read<T>(p), read<T>(k), read<T>(w), nullptr};
    device.run(op, look_backward_maps<T>, s.batch * s.views * s.rays * s.samples * WARP, s, in, read<T>(g), write<T>(out));
  });
  return out;
}

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(scene3d, CUDA, m) {
  m.impl("sample_views_composite", TORCH_BOX(&forward));
  m.impl("sample_views_composite_map_backward", TORCH_BOX(&map_backward));
  m.impl("sample_views_composite_weight_backward", TORCH_BOX(&weight_backward));
}

}  // namespace scene3d
