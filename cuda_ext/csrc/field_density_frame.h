// field_density from tensors to results, the same on every device; a driver loops over points.
#pragma once

#include "pixel_field_frame.h"

namespace scene3d {

template <typename Driver>
std::tuple<Tensor, Tensor> field_density(const Tensor& folded, const Tensor& K, const Tensor& from_position,
                                         const Tensor& to_density, const Tensor& bias, const Tensor& points, int64_t height,
                                         int64_t width, double near, double far) {
  const char* op = "field_density";
  const FieldTensors field{folded, K, from_position, to_density, bias, {height, width, near, far}};
  const FieldSizes s = field.check(op);
  check_shape(op, "points", points, {s.batch, -1, 3});
  check_like(op, {{"points", points}}, K, "K");
  Tensor density = empty(K, {s.batch, points.size(1)}), valid = empty(K, {s.batch, points.size(1)}, Type::Bool);
  const Driver on(K);
  on.check_field(op, s);
  with_types<Driver>(K, folded, [&]<typename T, typename Stored>(T, Stored) {
    Rows rows;
    on.forward(field.pointers<T, Stored>(rows, s, on.first_layer(from_position)), points.size(1), rows.of<T>(points),
               write<T>(density), write<bool>(valid));
  });
  return {density, valid};
}

template <typename Driver>
std::tuple<Tensor, Tensor, Tensor, Tensor> field_density_backward(const Tensor& grad, const Tensor& folded, const Tensor& K,
                                                                  const Tensor& from_position, const Tensor& to_density,
                                                                  const Tensor& bias, const Tensor& points, int64_t height,
                                                                  int64_t width, double near, double far) {
  const char* op = "field_density_backward";
  const FieldTensors field{folded, K, from_position, to_density, bias, {height, width, near, far}};
  const FieldSizes s = field.check(op);
  check_shape(op, "points", points, {s.batch, -1, 3});
  check_shape(op, "grad", grad, {s.batch, points.size(1)});
  check_like(op, {{"points", points}, {"grad", grad}}, K, "K");
  FieldGradients to(K, s);
  const Driver on(K);
  on.check_field(op, s);
  with_types<Driver>(K, folded, [&]<typename T, typename Stored>(T, Stored) {
    Rows rows;
    on.backward(field.pointers<T, Stored>(rows, s, on.first_layer(from_position)), points.size(1), rows.of<T>(points),
                rows.of<T>(grad), to.pointers<T>());
  });
  return to.all();
}

}  // namespace scene3d
