// What both drivers of neus_alpha ask of their arguments.
#pragma once

#include "check.h"
#include "neus_alpha.h"

namespace scene3d {

inline int64_t sections(const char* op, const Tensor& sdf, const Tensor& cosine, const Tensor& length,
                        const Tensor& sharpness) {
  check_floating(op, "sdf", sdf);
  std::vector<int64_t> shape;
  int64_t count = 1;
  for (int64_t i = 0; i < sdf.dim(); ++i) shape.push_back(sdf.size(i)), count *= sdf.size(i);
  check_shape(op, "cosine", cosine, shape);
  check_shape(op, "length", length, shape);
  check_shape(op, "sharpness", sharpness, {});
  for (const Tensor* tensor : {&cosine, &length, &sharpness}) check_like(op, "cosine, length, sharpness", *tensor, sdf, "sdf");
  return count;
}

}  // namespace scene3d
