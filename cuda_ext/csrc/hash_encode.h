// One point in one level of a multiresolution hash grid; see scene3d/ops/hash_encode.py.
#pragma once

#include "portable.h"

namespace scene3d {

struct HashLevel {
  int64_t resolution, start, size;

  S3D_HD bool dense() const { return (resolution + 1) * (resolution + 1) * (resolution + 1) <= size; }
};

// The eight corners around a point: their rows in the table, their weights, and how these change with the point.
template <typename T>
struct Cell {
  int64_t row[8];
  T along[3], change[3];  // place between the corners, and its derivative by the point: 0 where it was moved to a face

  S3D_HD Cell(const HashLevel& level, const T* point) {
    uint32_t corner[3];
    for (int axis = 0; axis < 3; ++axis) {
      const T p = point[axis] == point[axis] ? point[axis] : T(0);
      const T place = smaller(larger(p, T(0)), T(1)) * T(level.resolution);
      const int64_t cell = smaller(static_cast<int64_t>(place), level.resolution - 1);
      corner[axis] = static_cast<uint32_t>(cell);
      along[axis] = place - T(cell);
      change[axis] = point[axis] > 0 && point[axis] < 1 ? T(level.resolution) : T(0);
    }
    const int64_t edge = level.resolution + 1;
    for (int k = 0; k < 8; ++k) {
      const uint32_t x = corner[0] + (k & 1), y = corner[1] + (k >> 1 & 1), z = corner[2] + (k >> 2 & 1);
      if (level.dense()) {
        row[k] = level.start + (int64_t(x) * edge + y) * edge + z;
      } else {
        row[k] = level.start + ((x ^ (y * 2654435761u) ^ (z * 805459861u)) & static_cast<uint32_t>(level.size - 1));
      }
    }
  }

  S3D_HD T factor(int k, int axis) const { return k >> axis & 1 ? along[axis] : 1 - along[axis]; }
  S3D_HD T slope(int k, int axis) const { return k >> axis & 1 ? change[axis] : -change[axis]; }
  S3D_HD T weight(int k) const { return factor(k, 0) * factor(k, 1) * factor(k, 2); }

  // Derivative of a corner's weight by coordinate i.
  S3D_HD T first(int k, int i) const { return slope(k, i) * factor(k, (i + 1) % 3) * factor(k, (i + 2) % 3); }

  // And by coordinates i and j; the weight is linear in each, so it is 0 for i = j.
  S3D_HD T second(int k, int i, int j) const { return i == j ? T(0) : slope(k, i) * slope(k, j) * factor(k, 3 - i - j); }
};

// Features [channels] and Jacobian [channels, 3] of one level.
template <typename T>
S3D_HD void encode_level(const HashLevel& level, const T* point, const T* table, int64_t channels, T* features, T* jacobian) {
  const Cell<T> cell(level, point);
  for (int64_t f = 0; f < channels; ++f) {
    T value = 0, dx = 0, dy = 0, dz = 0;
    for (int k = 0; k < 8; ++k) {
      const T entry = table[cell.row[k] * channels + f];
      value += cell.weight(k) * entry;
      dx += cell.first(k, 0) * entry;
      dy += cell.first(k, 1) * entry;
      dz += cell.first(k, 2) * entry;
    }
    features[f] = value;
    jacobian[3 * f] = dx;
    jacobian[3 * f + 1] = dy;
    jacobian[3 * f + 2] = dz;
  }
}

// What flows to corner k of the table, channel f.
template <typename T>
S3D_HD T entry_gradient(const Cell<T>& cell, int k, T grad, const T* grad_jacobian) {
  return cell.weight(k) * grad + cell.first(k, 0) * grad_jacobian[0] + cell.first(k, 1) * grad_jacobian[1] +
         cell.first(k, 2) * grad_jacobian[2];
}

// What flows to the point through one level, added to `to_point`.
template <typename T>
S3D_HD void point_gradient(const Cell<T>& cell, const T* table, int64_t channels, const T* grad, const T* grad_jacobian,
                           T* to_point) {
  for (int k = 0; k < 8; ++k) {
    for (int64_t f = 0; f < channels; ++f) {
      const T entry = table[cell.row[k] * channels + f];
      for (int j = 0; j < 3; ++j) {
        T slope = grad[f] * cell.first(k, j);
        for (int i = 0; i < 3; ++i) slope += grad_jacobian[3 * f + i] * cell.second(k, i, j);
        to_point[j] += slope * entry;
      }
    }
  }
}

}  // namespace scene3d
