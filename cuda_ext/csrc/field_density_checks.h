// What both drivers of field_density ask of their arguments.
#pragma once

#include "pixel_field_checks.h"

namespace scene3d {

inline FieldSizes field_density_sizes(const char* op, const Tensor& folded, const Tensor& K, const Tensor& from_position,
                                      const Tensor& to_density, const Tensor& bias, const Tensor& points, const Extent& extent) {
  const FieldSizes s = field_sizes(op, folded, K, from_position, to_density, bias, extent);
  check_shape(op, "points", points, {s.batch, -1, 3});
  check_like(op, "points", points, folded, "folded");
  return s;
}

}  // namespace scene3d
