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
template <typename T>
struct FieldPointers {
  FieldSizes size;
  Extent extent;
  const T *folded, *K, *from_position, *to_density, *bias;

  S3D_HD PixelField<T> scene(int64_t index) const {
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
  check_like(op, {{"K", K}, {"from_position", from_position}, {"to_density", to_density}, {"bias", bias}}, folded, "folded");
  STD_TORCH_CHECK(extent.height > 0 && extent.width > 0 && extent.near > 0 && extent.far > extent.near, op,
                  ": expected an image and 0 < near < far, got ", extent.height, " x ", extent.width, ", ", extent.near, " and ",
                  extent.far);
  return s;
}

// Laid out as the driver's device wants it.
template <typename Driver>
struct FieldArguments {
  FieldSizes size;
  Extent extent;
  Tensor folded, K, from_position, to_density, bias;

  FieldArguments(const char* op, const Tensor& folded_, const Tensor& K_, const Tensor& from_position_,
                 const Tensor& to_density_, const Tensor& bias_, const Extent& extent_)
      : size(field_sizes(op, folded_, K_, from_position_, to_density_, bias_, extent_)), extent(extent_), bias(bias_) {
    Driver::check_field(op, size);
    folded = rows(folded_), K = rows(K_), to_density = rows(to_density_);
    from_position = Driver::first_layer(from_position_);
  }

  template <typename T>
  FieldPointers<T> pointers() const {
    return {size, extent, read<T>(folded), read<T>(K), read<T>(from_position), read<T>(to_density), read<T>(bias)};
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
