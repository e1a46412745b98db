// Rays from tensors to pointers, for the operators that step through a grid along them.
#pragma once

#include "check.h"
#include "portable.h"

namespace scene3d {

template <typename T>
struct Rays {
  int64_t count;
  const T *origins, *directions, *near, *far;
};

struct RayArguments {
  int64_t count;
  Tensor origins, directions, near, far;

  RayArguments(const char* op, const Tensor& origins_, const Tensor& directions_, const Tensor& near_, const Tensor& far_) {
    check_floating(op, "origins", origins_);
    check_shape(op, "origins", origins_, {-1, 3});
    count = origins_.size(0);
    check_shape(op, "directions", directions_, {count, 3});
    check_shape(op, "near", near_, {count});
    check_shape(op, "far", far_, {count});
    check_like(op, {{"directions", directions_}, {"near", near_}, {"far", far_}}, origins_, "origins");
    origins = rows(origins_), directions = rows(directions_), near = rows(near_), far = rows(far_);
  }

  // Where each ray writes what it finds.
  void check_offsets(const char* op, const Tensor& offsets) const {
    check_shape(op, "offsets", offsets, {count + 1});
    check_type(op, "offsets", offsets, Type::Long, "int64");
  }

  template <typename T>
  Rays<T> pointers() const {
    return {count, read<T>(origins), read<T>(directions), read<T>(near), read<T>(far)};
  }
};

// The part of the results that a ray writes to, and never beyond it.
struct Room {
  int64_t next, last;

  S3D_HD Room(const int64_t* offsets, int64_t ray, int64_t total)
      : next(larger<int64_t>(offsets[ray], 0)), last(smaller(offsets[ray + 1], total)) {}
};

}  // namespace scene3d
