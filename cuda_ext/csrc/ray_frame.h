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

// Returns their number.
inline int64_t check_rays(const char* op, const Tensor& origins, const Tensor& directions, const Tensor& near,
                          const Tensor& far) {
  check_floating(op, "origins", origins);
  check_shape(op, "origins", origins, {-1, 3});
  const int64_t count = origins.size(0);
  check_shape(op, "directions", directions, {count, 3});
  check_shape(op, "near", near, {count});
  check_shape(op, "far", far, {count});
  check_like(op, {{"directions", directions}, {"near", near}, {"far", far}}, origins, "origins");
  return count;
}

// Where each ray writes what it finds.
inline void check_room(const char* op, const Tensor& offsets, int64_t rays) {
  check_shape(op, "offsets", offsets, {rays + 1});
  check_type(op, "offsets", offsets, Type::Long);
}

// The part of the results that a ray writes to, and never beyond it.
struct Room {
  int64_t next, last;

  S3D_HD Room(const int64_t* offsets, int64_t ray, int64_t total)
      : next(larger<int64_t>(offsets[ray], 0)), last(smaller(offsets[ray + 1], total)) {}
};

}  // namespace scene3d
