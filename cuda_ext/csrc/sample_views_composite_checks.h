// What both drivers of sample_views_composite ask of their arguments.
#pragma once

#include <optional>
#include <tuple>

#include "check.h"
#include "sample_views_composite.h"

namespace scene3d {

struct LookSizes {
  int64_t batch, views, height, width, channels, rays, samples;
};

inline LookSizes look_sizes(const char* op, const Tensor& maps, const Tensor& points, const Tensor& to_pixels,
                            const Tensor& weights, const std::optional<Tensor>& valid) {
  check_floating(op, "maps", maps);
  check_shape(op, "maps", maps, {-1, -1, -1, -1, -1});
  STD_TORCH_CHECK(maps.size(2) > 0 && maps.size(3) > 0, op, ": maps: expected at least one pixel, got shape ",
                  shape_of(maps));
  const int64_t batch = maps.size(0), views = maps.size(1);
  check_shape(op, "points", points, {batch, -1, -1, 3});
  check_shape(op, "to_pixels", to_pixels, {batch, views, 3, 4});
  check_shape(op, "weights", weights, {batch, points.size(1), points.size(2)});
  for (const Tensor* tensor : {&points, &to_pixels, &weights}) check_like(op, "points, to_pixels, weights", *tensor, maps, "maps");
  if (valid) {
    check_shape(op, "valid", *valid, {batch, views, maps.size(2), maps.size(3)});
    STD_TORCH_CHECK(valid->scalar_type() == Type::Bool, op, ": valid: expected bool, got another dtype");
  }
  return {batch, views, maps.size(2), maps.size(3), maps.size(4), points.size(1), points.size(2)};
}

// Pointers to what is contiguous.
template <typename T>
struct LookArrays {
  const T *maps, *points, *to_pixels, *weights;
  const bool* valid;

  S3D_HD View<T> view(const LookSizes& s, int64_t index) const {
    const int64_t cells = s.height * s.width;
    return {maps + index * cells * s.channels, to_pixels + index * 12, valid ? valid + index * cells : nullptr, s.height,
            s.width};
  }
};

}  // namespace scene3d
