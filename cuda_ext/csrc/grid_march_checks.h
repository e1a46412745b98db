// What both drivers of grid_march ask of their arguments.
#pragma once

#include "check.h"
#include "grid_march.h"

namespace scene3d {

inline int64_t check_march(const char* op, const Tensor& origins, const Tensor& directions, const Tensor& near,
                           const Tensor& far, const Tensor& occupancy, int64_t cells, const std::vector<double>& cube,
                           const Stride& stride) {
  check_floating(op, "origins", origins);
  check_shape(op, "origins", origins, {-1, 3});
  const int64_t rays = origins.size(0);
  check_shape(op, "directions", directions, {rays, 3});
  check_shape(op, "near", near, {rays});
  check_shape(op, "far", far, {rays});
  for (const Tensor* tensor : {&directions, &near, &far}) check_like(op, "rays", *tensor, origins, "origins");
  STD_TORCH_CHECK(cells > 0, op, ": cells: expected a positive number, got ", cells);
  check_shape(op, "occupancy", occupancy, {-1, (cells * cells * cells + 31) / 32});
  STD_TORCH_CHECK(occupancy.scalar_type() == Type::Int, op, ": occupancy: expected int32, got another dtype");
  STD_TORCH_CHECK(occupancy.is_cuda() == origins.is_cuda(), op, ": occupancy: expected the device of origins, got another");
  STD_TORCH_CHECK(cube.size() == 4 && cube[3] > 0, op, ": size: expected a corner and a positive edge");
  STD_TORCH_CHECK(stride.step > 0, op, ": step: expected a positive number, got ", stride.step);
  STD_TORCH_CHECK(stride.cone >= 0, op, ": cone: expected 0 or more, got ", stride.cone);
  return rays;
}

template <typename T>
Cubes<T> cubes_of(const Tensor& occupancy, int64_t cells, const std::vector<double>& cube) {
  return {static_cast<const int32_t*>(occupancy.const_data_ptr()), occupancy.size(0), occupancy.size(1), cells,
          {T(cube[0]), T(cube[1]), T(cube[2])}, T(cube[3])};
}

// Writes the steps of one ray into its own part of the arrays, and never beyond it.
template <typename T>
struct MarchWriter {
  int64_t next, last;
  T *begin, *end;

  S3D_HD bool operator()(T from, T to) {
    if (next >= last) return false;
    begin[next] = from;
    end[next++] = to;
    return true;
  }
};

}  // namespace scene3d
