// The steps of one ray that lie in occupied cells of nested cubes; see scene3d/ops/grid_march.py.
#pragma once

#include "portable.h"

namespace scene3d {

template <typename T>
struct Cubes {
  const int32_t* occupancy;  // [levels, words], 32 cells a word
  int64_t levels, words, cells;
  T lower[3], size;

  // Whether the cell that holds a point is occupied; says its level, and where in that level's cells the point lies.
  S3D_HD bool occupied(const T* point, int64_t* level, T* place) const {
    T edge = size;
    for (*level = 0; *level < levels; ++*level, edge *= 2) {
      bool within = true;
      for (int axis = 0; axis < 3; ++axis) {
        place[axis] = (point[axis] - (lower[axis] + size / 2 - edge / 2)) * (T(cells) / edge);
        within = within && place[axis] >= 0 && place[axis] < T(cells);
      }
      if (!within) continue;
      const int64_t index = (static_cast<int64_t>(place[0]) * cells + static_cast<int64_t>(place[1])) * cells +
                            static_cast<int64_t>(place[2]);
      return occupancy[*level * words + (index >> 5)] >> (index & 31) & 1;
    }
    return false;
  }
};

struct Stride {
  double step, cone;
};

// Calls visit(begin, end) for each kept step, near to far, until it says false.
template <typename T, typename Visit>
S3D_HD void march_ray(const Cubes<T>& cubes, const T* origin, const T* direction, T near, T far, const Stride& stride,
                      const Visit& visit) {
  const T step = T(stride.step), cone = T(stride.cone);
  T at = near;
  int64_t k = 0;
  while (true) {
    const T length = larger(cone * at, step), middle = at + length / 2;
    if (!(middle < far)) return;
    T point[3], place[3];
    for (int axis = 0; axis < 3; ++axis) point[axis] = origin[axis] + middle * direction[axis];
    int64_t level;
    const bool kept = cubes.occupied(point, &level, place);
    int64_t skip = 0;
    if (!kept && stride.cone == 0 && level < cubes.levels) {
      // Even steps that stay in this empty cell, but for a margin that rounding cannot cross, need no look.
      const T cell = cubes.size * T(int64_t(1) << level) / T(cubes.cells);
      T away = far - middle;
      for (int axis = 0; axis < 3; ++axis) {
        const T within = place[axis] - std::floor(place[axis]);
        const T speed = std::abs(direction[axis]);
        if (speed > T(1e-12)) away = smaller(away, (direction[axis] > 0 ? 1 - within : within) * cell / speed);
      }
      skip = larger<int64_t>(static_cast<int64_t>(away / step - T(0.01)), 0);
    }
    const T begin = at;
    k += 1 + skip;
    at = stride.cone == 0 ? near + T(k) * step : at + length;
    if (kept && !visit(begin, at)) return;
  }
}

}  // namespace scene3d
