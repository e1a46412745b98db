// The cells of a regular grid that one ray crosses; see scene3d/ops/voxel_walk.py.
#pragma once

#include "portable.h"

namespace scene3d {

template <typename T>
struct Grid {
  T lower[3], size;
  int64_t shape[3];
};

// Calls visit(cell, enter, leave) for each cell, near to far. Where a plane is crossed follows from its number, not from
// a sum of steps, so nothing drifts and neighbours share their edge to the last bit.
template <typename T, typename Visit>
S3D_HD void walk_ray(const Grid<T>& grid, const T* origin, const T* direction, T near, T far, const Visit& visit) {
  T begin = near, end = far;
  for (int axis = 0; axis < 3; ++axis) {
    const T first = grid.lower[axis], last = grid.lower[axis] + grid.size * T(grid.shape[axis]);
    if (!(std::abs(origin[axis]) < T(INFINITY)) || !(std::abs(direction[axis]) < T(INFINITY))) return;
    if (direction[axis] == 0) {
      if (!(origin[axis] >= first && origin[axis] < last)) return;
      continue;
    }
    const T one = (first - origin[axis]) / direction[axis], other = (last - origin[axis]) / direction[axis];
    begin = larger(begin, smaller(one, other));
    end = smaller(end, larger(one, other));
  }
  if (!(begin < end) || !(std::abs(begin) < T(INFINITY))) return;
  int64_t cell[3], plane[3] = {0, 0, 0};
  T next[3];
  const auto crossing = [&](int axis) {
    return (grid.lower[axis] + grid.size * T(plane[axis]) - origin[axis]) / direction[axis];
  };
  for (int axis = 0; axis < 3; ++axis) {
    const T place = (origin[axis] + begin * direction[axis] - grid.lower[axis]) / grid.size;
    cell[axis] = smaller<int64_t>(larger<int64_t>(static_cast<int64_t>(std::floor(place)), 0), grid.shape[axis] - 1);
    if (direction[axis] == 0) {
      next[axis] = T(INFINITY);
      continue;
    }
    // Rounding may put the start into the neighbour: step to the first plane that lies ahead.
    const int64_t step = direction[axis] > 0 ? 1 : -1;
    plane[axis] = cell[axis] + (step > 0 ? 1 : 0);
    while (plane[axis] - step > 0 && plane[axis] - step < grid.shape[axis]) {
      plane[axis] -= step;
      if (!(crossing(axis) > begin)) {
        plane[axis] += step;
        break;
      }
      cell[axis] -= step;
    }
    while ((next[axis] = crossing(axis)) <= begin && cell[axis] + step >= 0 && cell[axis] + step < grid.shape[axis]) {
      cell[axis] += step;
      plane[axis] += step;
    }
  }
  T from = begin;
  while (true) {
    const int axis = next[0] <= next[1] ? (next[0] <= next[2] ? 0 : 2) : (next[1] <= next[2] ? 1 : 2);
    const T to = smaller(next[axis], end);
    if (to > from) visit((cell[0] * grid.shape[1] + cell[1]) * grid.shape[2] + cell[2], from, to);
    if (!(next[axis] < end)) return;
    from = larger(from, to);
    const int64_t step = direction[axis] > 0 ? 1 : -1;
    cell[axis] += step;
    if (cell[axis] < 0 || cell[axis] >= grid.shape[axis]) return;
    plane[axis] += step;
    next[axis] = crossing(axis);
  }
}

}  // namespace scene3d
