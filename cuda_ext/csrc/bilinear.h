// The four corners of a bilinear sample of a channels-last map; see scene3d/ops/sample_views.py.
#pragma once

#include "portable.h"

namespace scene3d {

// Cells of the map, counted row after row, and how far the sample lies between them.
template <typename T>
struct Corners {
  int64_t cell[4];  // upper left, upper right, lower left, lower right
  T x, y;           // in [0, 1] from the upper left corner
  bool slope_x, slope_y;  // false where the position was moved to the border

  S3D_HD void weights(T out[4]) const {
    out[0] = (1 - x) * (1 - y);
    out[1] = x * (1 - y);
    out[2] = (1 - x) * y;
    out[3] = x * y;
  }

  // How the sample changes with its position, from the values at the four corners.
  S3D_HD void slopes(const T at[4], T out[2]) const {
    out[0] = slope_x ? (at[1] - at[0]) * (1 - y) + (at[3] - at[2]) * y : T(0);
    out[1] = slope_y ? (at[2] - at[0]) * (1 - x) + (at[3] - at[1]) * x : T(0);
  }
};

// One of the channels of a sample.
template <typename T, typename Stored>
S3D_HD T blend(const Corners<T>& corners, const T weights[4], const Stored* map, int64_t channels, int64_t channel) {
  T value = 0;
  for (int k = 0; k < 4; ++k) value += weights[k] * T(map[corners.cell[k] * channels + channel]);
  return value;
}

// Pixel centres lie at +0.5; beyond the outermost centres the border is taken, and NaN counts as 0.
template <typename T>
S3D_HD Corners<T> corners_at(T pixel_x, T pixel_y, int64_t height, int64_t width) {
  Corners<T> found;
  found.slope_x = pixel_x > T(0.5) && pixel_x < T(width) - T(0.5);
  found.slope_y = pixel_y > T(0.5) && pixel_y < T(height) - T(0.5);
  // A comparison with NaN is false, so the clamp below would let it through to the cast, which is undefined.
  const T px = pixel_x == pixel_x ? pixel_x : T(0);
  const T py = pixel_y == pixel_y ? pixel_y : T(0);
  const T x = smaller(larger(px - T(0.5), T(0)), T(width - 1));
  const T y = smaller(larger(py - T(0.5), T(0)), T(height - 1));
  const int64_t left = smaller<int64_t>(static_cast<int64_t>(x), larger<int64_t>(width - 2, 0));
  const int64_t top = smaller<int64_t>(static_cast<int64_t>(y), larger<int64_t>(height - 2, 0));
  const int64_t right = width > 1 ? 1 : 0, below = height > 1 ? width : 0;
  found.cell[0] = top * width + left;
  found.cell[1] = found.cell[0] + right;
  found.cell[2] = found.cell[0] + below;
  found.cell[3] = found.cell[0] + below + right;
  found.x = x - T(left);
  found.y = y - T(top);
  return found;
}

}  // namespace scene3d
