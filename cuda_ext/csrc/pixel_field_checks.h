// What all drivers on a pixel-aligned field ask of its arrays.
#pragma once

#include "check.h"
#include "pixel_field.h"

namespace scene3d {

struct Extent {
  int64_t height, width;
  double near, far;
};

struct FieldSizes {
  int64_t batch, map_height, map_width, hidden, encoded;
};

inline FieldSizes field_sizes(const char* op, const Tensor& folded, const Tensor& K, const Tensor& from_position,
                              const Tensor& to_density, const Tensor& bias, const Extent& extent) {
  check_floating(op, "folded", folded);
  check_shape(op, "folded", folded, {-1, -1, -1, -1});
  const FieldSizes s{folded.size(0), folded.size(1), folded.size(2), folded.size(3), from_position.dim() == 2 ? from_position.size(1) : 0};
  STD_TORCH_CHECK(s.map_height > 0 && s.map_width > 0, op, ": folded: expected at least one pixel, got shape ", shape_of(folded));
  check_shape(op, "K", K, {s.batch, 3, 3});
  check_shape(op, "from_position", from_position, {s.hidden, -1});
  check_shape(op, "to_density", to_density, {s.hidden});
  check_shape(op, "bias", bias, {});
  STD_TORCH_CHECK(s.encoded >= 3 && s.encoded % 6 == 3 && s.encoded <= MOST_ENCODED, op,
                  ": from_position: expected 3 (1 + 2 octaves) columns and at most ", MOST_OCTAVES, " octaves, got ", s.encoded,
                  " columns");
  for (const Tensor* tensor : {&K, &from_position, &to_density, &bias}) check_like(op, "network", *tensor, folded, "folded");
  STD_TORCH_CHECK(extent.height > 0 && extent.width > 0 && extent.near > 0 && extent.far > extent.near, op,
                  ": expected an image and 0 < near < far, got ", extent.height, " x ", extent.width, ", ", extent.near, " and ",
                  extent.far);
  return s;
}

// Arrays of all scenes.
template <typename T>
struct FieldPointers {
  FieldSizes size;
  Extent extent;
  const T *folded, *K, *from_position, *to_density, *bias;

  S3D_HD PixelField<T> scene(int64_t index) const {
    return {folded + index * size.map_height * size.map_width * size.hidden,
            K + index * 9,
            from_position,
            to_density,
            bias,
            size.map_height,
            size.map_width,
            size.hidden,
            size.encoded,
            T(extent.height),
            T(extent.width),
            T(extent.near),
            T(extent.far)};
  }
};

}  // namespace scene3d
