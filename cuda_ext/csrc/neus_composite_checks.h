// What both drivers of neus_composite ask of their arguments, and what they look at.
#pragma once

#include "composite_checks.h"
#include "neus_alpha_checks.h"
#include "neus_composite.h"

namespace scene3d {

inline CompositeSizes neus_composite_sizes(const char* op, const Tensor& sdf, const Tensor& cosine, const Tensor& length,
                                           const Tensor& sharpness, const Tensor& features, const Tensor& distances,
                                           const Tensor& offsets) {
  sections(op, sdf, cosine, length, sharpness);
  return composite_sizes(op, sdf, features, distances, offsets, {});
}

template <typename T>
struct NeusRays {
  const T *sdf, *cosine, *length, *features, *distances;
  const int64_t* offsets;
  CompositeSizes size;

  S3D_HD Sections<const T> sections(int64_t first) const { return {sdf + first, cosine + first, length + first}; }

  S3D_HD Samples<T> samples(int64_t first, int64_t count) const {
    return {nullptr, features + first * size.channels, distances + first, nullptr, count, size.channels};
  }
};

}  // namespace scene3d
