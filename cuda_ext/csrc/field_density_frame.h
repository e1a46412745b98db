// field_density from tensors to results, the same on every device; a driver loops over points.
#pragma once

#include "pixel_field_frame.h"

namespace scene3d {

inline Tensor field_points(const char* op, const FieldSizes& s, const Tensor& points, const Tensor& folded) {
  check_shape(op, "points", points, {s.batch, -1, 3});
  check_like(op, {{"points", points}}, folded, "folded");
  return rows(points);
}

template <typename Driver>
std::tuple<Tensor, Tensor> field_density(const Tensor& folded, const Tensor& K, const Tensor& from_position,
                                         const Tensor& to_density, const Tensor& bias, const Tensor& points, int64_t height,
                                         int64_t width, double near, double far) {
  const char* op = "field_density";
  const FieldArguments<Driver> field(op, folded, K, from_position, to_density, bias, {height, width, near, far});
  const Tensor p = field_points(op, field.size, points, folded);
  const int64_t each = p.size(1);
  Tensor density = empty(p, {field.size.batch, each}), valid = empty(p, {field.size.batch, each}, Type::Bool);
  const Driver on(points);
  with_scalar(points, [&](auto zero) {
    using T = decltype(zero);
    on.forward(field.template pointers<T>(), each, read<T>(p), write<T>(density), write<bool>(valid));
  });
  return {density, valid};
}

template <typename Driver>
std::tuple<Tensor, Tensor, Tensor, Tensor> field_density_backward(const Tensor& grad, const Tensor& folded, const Tensor& K,
                                                                  const Tensor& from_position, const Tensor& to_density,
                                                                  const Tensor& bias, const Tensor& points, int64_t height,
                                                                  int64_t width, double near, double far) {
  const char* op = "field_density_backward";
  const FieldArguments<Driver> field(op, folded, K, from_position, to_density, bias, {height, width, near, far});
  const Tensor p = field_points(op, field.size, points, folded);
  check_shape(op, "grad", grad, {field.size.batch, p.size(1)});
  check_like(op, {{"grad", grad}}, points, "points");
  const Tensor above = rows(grad);
  FieldGradients to(p, field.size);
  const Driver on(points);
  with_scalar(points, [&](auto zero) {
    using T = decltype(zero);
    on.backward(field.template pointers<T>(), p.size(1), read<T>(p), read<T>(above), to.pointers<T>());
  });
  return to.all();
}

}  // namespace scene3d
