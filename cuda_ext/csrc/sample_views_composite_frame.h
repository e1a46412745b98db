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

template <typename T>
struct LookArrays {
  LookSizes size;
  const T *maps, *points, *to_pixels, *weights;
  const bool* valid;

  S3D_HD View<T> view(int64_t index) const {
    const int64_t cells = size.height * size.width;
    return {maps + index * cells * size.channels, to_pixels + index * 12, valid ? valid + index * cells : nullptr, size.height,
            size.width};
  }
};

struct LookArguments {
  LookSizes size;
  Tensor maps, points, to_pixels, weights;
  Maybe valid;

  LookArguments(const char* op, const Tensor& maps_, const Tensor& points_, const Tensor& to_pixels_, const Tensor& weights_,
                const Maybe& valid_) {
    check_floating(op, "maps", maps_);
    check_shape(op, "maps", maps_, {-1, -1, -1, -1, -1});
    STD_TORCH_CHECK(maps_.size(2) > 0 && maps_.size(3) > 0, op, ": maps: expected at least one pixel, got shape ",
                    shape_of(maps_));
    const int64_t batch = maps_.size(0), views = maps_.size(1);
    check_shape(op, "points", points_, {batch, -1, -1, 3});
    check_shape(op, "to_pixels", to_pixels_, {batch, views, 3, 4});
    check_shape(op, "weights", weights_, {batch, points_.size(1), points_.size(2)});
    check_like(op, {{"points", points_}, {"to_pixels", to_pixels_}, {"weights", weights_}}, maps_, "maps");
    if (valid_) {
      check_shape(op, "valid", *valid_, {batch, views, maps_.size(2), maps_.size(3)});
      check_type(op, "valid", *valid_, Type::Bool, "bool");
    }
    size = {batch, views, maps_.size(2), maps_.size(3), maps_.size(4), points_.size(1), points_.size(2)};
    maps = rows(maps_), points = rows(points_), to_pixels = rows(to_pixels_), weights = rows(weights_), valid = rows(valid_);
  }

  Tensor gradient(const char* op, const Tensor& grad) const {
    check_shape(op, "grad", grad, {size.batch, size.views, size.rays, size.channels});
    check_like(op, {{"grad", grad}}, weights, "weights");
    return rows(grad);
  }

  template <typename T>
  LookArrays<T> pointers() const {
    return {size, read<T>(maps), read<T>(points), read<T>(to_pixels), read<T>(weights), read<bool>(valid)};
  }
};

template <typename Driver>
std::tuple<Tensor, Tensor> sample_views_composite(const Tensor& maps, const Tensor& points, const Tensor& to_pixels,
                                                  const Tensor& weights, const Maybe& valid) {
  const LookArguments in("sample_views_composite", maps, points, to_pixels, weights, valid);
  const LookSizes& s = in.size;
  Tensor sums = empty(weights, {s.batch, s.views, s.rays, s.channels}), shares = empty(weights, {s.batch, s.views, s.rays});
  const Driver on(weights);
  with_scalar(weights, [&](auto zero) {
    using T = decltype(zero);
    on.forward(in.pointers<T>(), write<T>(sums), write<T>(shares));
  });
  return {sums, shares};
}

template <typename Driver>
Tensor sample_views_composite_weight_backward(const Tensor& grad, const Tensor& grad_share, const Tensor& maps,
                                              const Tensor& points, const Tensor& to_pixels, const Tensor& weights,
                                              const Maybe& valid) {
  const char* op = "sample_views_composite_weight_backward";
  const LookArguments in(op, maps, points, to_pixels, weights, valid);
  const LookSizes& s = in.size;
  check_shape(op, "grad_share", grad_share, {s.batch, s.views, s.rays});
  check_like(op, {{"grad_share", grad_share}}, weights, "weights");
  const Tensor above = in.gradient(op, grad), above_share = rows(grad_share);
  Tensor out = empty(weights, {s.batch, s.rays, s.samples});
  const Driver on(weights);
  with_scalar(weights, [&](auto zero) {
    using T = decltype(zero);
    on.weight_backward(in.pointers<T>(), read<T>(above), read<T>(above_share), write<T>(out));
  });
  return out;
}

template <typename Driver>
Tensor sample_views_composite_map_backward(const Tensor& grad, const Tensor& maps, const Tensor& points,
                                           const Tensor& to_pixels, const Tensor& weights) {
  const char* op = "sample_views_composite_map_backward";
  const LookArguments in(op, maps, points, to_pixels, weights, {});
  const LookSizes& s = in.size;
  const Tensor above = in.gradient(op, grad);
  Tensor out = zeros(weights, {s.batch, s.views, s.height, s.width, s.channels});
  const Driver on(weights);
  with_scalar(weights, [&](auto zero) {
    using T = decltype(zero);
    on.map_backward(in.pointers<T>(), read<T>(above), write<T>(out));
  });
  return out;
}

}  // namespace scene3d
