// What both drivers of plane_sweep ask of their arguments, and how they find them.
#pragma once

#include "check.h"
#include "plane_sweep.h"

namespace scene3d {

struct SweepSizes {
  int64_t batch, height, width, channels, views, source_height, source_width, hypotheses;
  bool own_depths;  // each pixel has its own hypotheses
};

inline SweepSizes sweep_sizes(const char* op, const Tensor& features, const Tensor& sources, const Tensor& pixel_to_source,
              const Tensor& shift, const Tensor& depths) {
  check_floating(op, "features", features);
  check_shape(op, "features", features, {-1, -1, -1, -1});
  const int64_t batch = features.size(0), height = features.size(1), width = features.size(2);
  check_shape(op, "sources", sources, {batch, -1, -1, -1, features.size(3)});
  const int64_t views = sources.size(1);
  STD_TORCH_CHECK(views <= 255, op, ": sources: expected at most 255 views, got ", views);
  STD_TORCH_CHECK(sources.size(2) > 0 && sources.size(3) > 0, op, ": sources: expected at least one pixel, got shape ",
                  shape_of(sources));
  check_shape(op, "pixel_to_source", pixel_to_source, {batch, views, 3, 3});
  check_shape(op, "shift", shift, {batch, views, 3});
  const bool own = depths.dim() == 4 && (depths.size(2) != 1 || depths.size(3) != 1 || (height == 1 && width == 1));
  check_shape(op, "depths", depths, {batch, -1, own ? height : 1, own ? width : 1});
  for (const Tensor* tensor : {&sources, &pixel_to_source, &shift, &depths})
    check_like(op, "sources, transforms and depths", *tensor, features, "features");
  return {batch, height, width, features.size(3), views, sources.size(2), sources.size(3), depths.size(1), own};
}

template <typename T>
struct SweepArrays {
  const T *features, *sources, *pixel_to_source, *shift, *depths;
};

template <typename T>
S3D_HD T depth_of(const SweepSizes& s, const SweepArrays<T>& in, int64_t b, int64_t d, int64_t pixel) {
  const int64_t plane = b * s.hypotheses + d;
  return s.own_depths ? in.depths[plane * s.height * s.width + pixel] : in.depths[plane];
}

}  // namespace scene3d
