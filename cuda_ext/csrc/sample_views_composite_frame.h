// sample_views_composite from tensors to results, the same on every device; a driver loops over rays and views.
#pragma once

#include <tuple>

#include "check.h"
#include "sample_views_composite.h"

namespace scene3d {

struct LookSizes {
  int64_t batch, views, height, width, channels, rays, samples;

  // Of ray `item % rays` in view `item / rays`, both counted over all scenes: the ray counted so, too.
  S3D_HD int64_t ray_of(int64_t item) const { return item / rays / views * rays + item % rays; }
};

template <typename T, typename Stored = T>
struct LookArrays {
  LookSizes size;
  const Stored* maps;
  const T *points, *to_pixels, *weights;
  const bool* valid;

  // View v of scene b is view b views + v.
  S3D_HD View<T, Stored> view(int64_t index) const {
    const int64_t cells = size.height * size.width;
    return {maps ? maps + index * cells * size.channels : nullptr, to_pixels + index * 12, valid ? valid + index * cells : nullptr,
            size.height, size.width};
  }
};

inline LookSizes look_sizes(const char* op, const Tensor& maps, const Tensor& points, const Tensor& to_pixels,
                            const Tensor& weights, const Maybe& valid) {
  check_floating(op, "weights", weights);
  check_shape(op, "maps", maps, {-1, -1, -1, -1, -1});
  STD_TORCH_CHECK(maps.size(2) > 0 && maps.size(3) > 0, op, ": maps: expected at least one pixel, got shape ", shape_of(maps));
  const int64_t batch = maps.size(0), views = maps.size(1);
  check_shape(op, "points", points, {batch, -1, -1, 3});
  check_shape(op, "to_pixels", to_pixels, {batch, views, 3, 4});
  check_shape(op, "weights", weights, {batch, points.size(1), points.size(2)});
  check_stored(op, {{"maps", maps}}, weights, "weights");
  check_like(op, {{"points", points}, {"to_pixels", to_pixels}}, weights, "weights");
  if (valid) {
    check_shape(op, "valid", *valid, {batch, views, maps.size(2), maps.size(3)});
    check_type(op, "valid", *valid, Type::Bool);
  }
  return {batch, views, maps.size(2), maps.size(3), maps.size(4), points.size(1), points.size(2)};
}

inline void check_look_gradient(const char* op, const LookSizes& s, const Tensor& grad, const Tensor& weights) {
  check_shape(op, "grad", grad, {s.batch, s.views, s.rays, s.channels});
  check_like(op, {{"grad", grad}}, weights, "weights");
}

template <typename Driver>
std::tuple<Tensor, Tensor> sample_views_composite(const Tensor& maps, const Tensor& points, const Tensor& to_pixels,
                                                  const Tensor& weights, const Maybe& valid) {
  const LookSizes s = look_sizes("sample_views_composite", maps, points, to_pixels, weights, valid);
  Tensor sums = empty(weights, {s.batch, s.views, s.rays, s.channels}), shares = empty(weights, {s.batch, s.views, s.rays});
  const Driver on(weights);
  with_types<Driver>(weights, maps, [&]<typename T, typename Stored>(T, Stored) {
    Rows rows;
    const LookArrays<T, Stored> in{s, rows.of<Stored>(maps), rows.of<T>(points), rows.of<T>(to_pixels), rows.of<T>(weights),
                                   rows.of<bool>(valid)};
    on.forward(in, write<T>(sums), write<T>(shares));
  });
  return {sums, shares};
}

template <typename Driver>
Tensor sample_views_composite_weight_backward(const Tensor& grad, const Tensor& grad_share, const Tensor& maps,
                                              const Tensor& points, const Tensor& to_pixels, const Tensor& weights,
                                              const Maybe& valid) {
  const char* op = "sample_views_composite_weight_backward";
  const LookSizes s = look_sizes(op, maps, points, to_pixels, weights, valid);
  check_look_gradient(op, s, grad, weights);
  check_shape(op, "grad_share", grad_share, {s.batch, s.views, s.rays});
  check_like(op, {{"grad_share", grad_share}}, weights, "weights");
  Tensor out = empty(weights, {s.batch, s.rays, s.samples});
  const Driver on(weights);
  with_types<Driver>(weights, maps, [&]<typename T, typename Stored>(T, Stored) {
    Rows rows;
    const LookArrays<T, Stored> in{s, rows.of<Stored>(maps), rows.of<T>(points), rows.of<T>(to_pixels), nullptr,
                                   rows.of<bool>(valid)};
    on.weight_backward(in, rows.of<T>(grad), rows.of<T>(grad_share), write<T>(out));
  });
  return out;
}

template <typename Driver>
Tensor sample_views_composite_map_backward(const Tensor& grad, const Tensor& maps, const Tensor& points,
                                           const Tensor& to_pixels, const Tensor& weights) {
  const char* op = "sample_views_composite_map_backward";
  const LookSizes s = look_sizes(op, maps, points, to_pixels, weights, {});
  check_look_gradient(op, s, grad, weights);
  Tensor out = zeros(weights, {s.batch, s.views, s.height, s.width, s.channels});
  const Driver on(weights);
  with_scalar(weights, [&]<typename T>(T) {
    Rows rows;
    const LookArrays<T> in{s, nullptr, rows.of<T>(points), rows.of<T>(to_pixels), rows.of<T>(weights), nullptr};
    on.map_backward(in, rows.of<T>(grad), write<T>(out));
  });
  return out;
}

}  // namespace scene3d
