// What both drivers of sample_views ask of their arguments.
#pragma once

#include "bilinear.h"
#include "check.h"

namespace scene3d {

struct ViewSizes {
  int64_t views, height, width, channels, positions;
};

inline ViewSizes view_sizes(const char* op, const Tensor& maps, const Tensor& pixels) {
  check_floating(op, "maps", maps);
  check_shape(op, "maps", maps, {-1, -1, -1, -1});
  check_shape(op, "pixels", pixels, {maps.size(0), -1, 2});
  check_like(op, "pixels", pixels, maps, "maps");
  STD_TORCH_CHECK(maps.size(1) > 0 && maps.size(2) > 0, op, ": maps: expected at least one pixel, got shape ",
                  shape_of(maps));
  return {maps.size(0), maps.size(1), maps.size(2), maps.size(3), pixels.size(1)};
}

}  // namespace scene3d
