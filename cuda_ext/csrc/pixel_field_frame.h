// A pixel-aligned field from tensors to pointers, for the operators that ask one.
#pragma once

#include <tuple>

#include "check.h"
#include "pixel_field.h"

namespace scene3d {

struct Extent {
  int64_t height, width;
  double near, far;
};

struct FieldSizes {
  int64_t batch, map_height, map_width, hidden, encoded;

  S3D_HD int64_t map_numbers() const { return map_height * map_width * hidden; }
};

// Arrays of all scenes.
template <typename T, typename Stored = T>
struct FieldPointers {
  FieldSizes size;
  Extent extent;
  const Stored* folded;
  const T *K, *from_position, *to_density, *bias;

  S3D_HD PixelField<T, Stored> scene(int64_t index) const {
    return {folded + index * size.map_numbers(),
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

template <typename T>
struct ToField {
  T *folded, *from_position, *to_density, *bias;  // as the arguments are, and the map's all zero
};

// The field's arguments of an operator.
struct FieldTensors {
  const Tensor &folded, &K, &from_position, &to_density, &bias;
  Extent extent;

  FieldSizes check(const char* op) const {
    check_floating(op, "K", K);
    check_shape(op, "folded", folded, {-1, -1, -1, -1});
    const FieldSizes s{folded.size(0), folded.size(1), folded.size(2), folded.size(3),
                       from_position.dim() == 2 ? from_position.size(1) : 0};
    STD_TORCH_CHECK(s.map_height > 0 && s.map_width > 0, op, ": folded: expected at least one pixel, got shape ",
                    shape_of(folded));
    check_shape(op, "K", K, {s.batch, 3, 3});
    check_shape(op, "from_position", from_position, {s.hidden, -1});
    check_shape(op, "to_density", to_density, {s.hidden});
    check_shape(op, "bias", bias, {});
    STD_TORCH_CHECK(s.encoded >= 3 && s.encoded % 6 == 3 && s.encoded <= MOST_ENCODED, op,
                    ": from_position: expected 3 (1 + 2 octaves) columns and at most ", MOST_OCTAVES, " octaves, got ",
                    s.encoded, " columns");
    check_stored(op, {{"folded", folded}}, K, "K");
    check_like(op, {{"from_position", from_position}, {"to_density", to_density}, {"bias", bias}}, K, "K");
    STD_TORCH_CHECK(extent.height > 0 && extent.width > 0 && extent.near > 0 && extent.far > extent.near, op,
                    ": expected an image and 0 < near < far, got ", extent.height, " x ", extent.width, ", ", extent.near,
                    " and ", extent.far);
    return s;
  }

  // `first_layer` is from_position as the device wants it.
  template <typename T, typename Stored>
  FieldPointers<T, Stored> pointers(Rows& rows, const FieldSizes& s, const Tensor& first_layer) const {
    return {s,           extent, rows.of<Stored>(folded), rows.of<T>(K), rows.of<T>(first_layer), rows.of<T>(to_density),
            rows.of<T>(bias)};
  }
};

struct FieldGradients {
  Tensor folded, from_position, to_density, bias;

  FieldGradients(const Tensor& like, const FieldSizes& s)
      : folded(zeros(like, {s.batch, s.map_height, s.map_width, s.hidden})),
        from_position(empty(like, {s.hidden, s.encoded})),
        to_density(empty(like, {s.hidden})),
        bias(empty(like, {})) {}

  template <typename T>
  ToField<T> pointers() {
    return {write<T>(folded), write<T>(from_position), write<T>(to_density), write<T>(bias)};
  }

  std::tuple<Tensor, Tensor, Tensor, Tensor> all() const { return {folded, from_position, to_density, bias}; }
};

}  // namespace scene3d
