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
  int32_t row[8];
  T along[3], change[3];  // place between the corners, and its derivative by the point: 0 where it was moved to a face

  // Without a branch, so that a loop over points becomes vectors; DENSE is what the level says.
  template <bool DENSE>
  S3D_HD void look(const HashLevel& level, const T* point) {
    int32_t corner[3];
    S3D_UNROLL
    for (int axis = 0; axis < 3; ++axis) {
      const T p = point[axis] == point[axis] ? point[axis] : T(0);
      const T place = smaller(larger(p, T(0)), T(1)) * T(level.resolution);
      corner[axis] = smaller(static_cast<int32_t>(place), static_cast<int32_t>(level.resolution) - 1);
      along[axis] = place - T(corner[axis]);
      change[axis] = (point[axis] > 0) & (point[axis] < 1) ? T(level.resolution) : T(0);
    }
    const int32_t start = static_cast<int32_t>(level.start);
    if constexpr (DENSE) {
      const int32_t edge = static_cast<int32_t>(level.resolution) + 1;
      const int32_t first = start + (corner[0] * edge + corner[1]) * edge + corner[2];
      S3D_UNROLL
      for (int k = 0; k < 8; ++k) row[k] = first + (k & 1) * edge * edge + (k >> 1 & 1) * edge + (k >> 2);
    } else {
      const uint32_t mask = static_cast<uint32_t>(level.size - 1);
      const uint32_t x = corner[0], y = uint32_t(corner[1]) * 2654435761u, z = uint32_t(corner[2]) * 805459861u;
      S3D_UNROLL
      for (int k = 0; k < 8; ++k) {
        const uint32_t hash = (x + (k & 1)) ^ (y + (k >> 1 & 1) * 2654435761u) ^ (z + (k >> 2) * 805459861u);
        row[k] = start + static_cast<int32_t>(hash & mask);
      }
    }
  }

  S3D_HD Cell() {}

  S3D_HD Cell(const HashLevel& level, const T* point) {
    if (level.dense()) {
      look<true>(level, point);
    } else {
      look<false>(level, point);
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

template <typename T>
S3D_HD T between(T low, T high, T share) {
  return low + share * (high - low);
}

// Features [channels] and, unless null, Jacobian [channels, 3] of one level. CHANNELS as in composite.h.
template <int CHANNELS, typename T>
S3D_HD void encode_cell(const Cell<T>& cell, const T* table, int64_t count, T* features, T* jacobian) {
  const int64_t channels = CHANNELS ? CHANNELS : count;
  for (int64_t f = 0; f < channels; ++f) {
    T entry[8], at[4], by_x[4];
    S3D_UNROLL
    for (int k = 0; k < 8; ++k) entry[k] = table[int64_t(cell.row[k]) * channels + f];
    S3D_UNROLL
    for (int k = 0; k < 4; ++k) {
      by_x[k] = entry[2 * k + 1] - entry[2 * k];
      at[k] = entry[2 * k] + cell.along[0] * by_x[k];
    }
    const T near = between(at[0], at[1], cell.along[1]), far = between(at[2], at[3], cell.along[1]);
    features[f] = between(near, far, cell.along[2]);
    if (!jacobian) continue;
    const T x = between(between(by_x[0], by_x[1], cell.along[1]), between(by_x[2], by_x[3], cell.along[1]), cell.along[2]);
    const T y = between(at[1] - at[0], at[3] - at[2], cell.along[2]);
    jacobian[3 * f] = cell.change[0] * x;
    jacobian[3 * f + 1] = cell.change[1] * y;
    jacobian[3 * f + 2] = cell.change[2] * (far - near);
  }
}

// What flows to the eight corners' rows: give(row, channel, value) takes it. Either gradient may be null.
template <int CHANNELS, typename T, typename Give>
S3D_HD void table_gradient(const Cell<T>& cell, int64_t count, const T* grad, const T* grad_jacobian, const Give& give) {
  const int64_t channels = CHANNELS ? CHANNELS : count;
  S3D_UNROLL
  for (int k = 0; k < 8; ++k) {
    const T weight = cell.weight(k), x = cell.first(k, 0), y = cell.first(k, 1), z = cell.first(k, 2);
    for (int64_t f = 0; f < channels; ++f) {
      T value = grad ? weight * grad[f] : T(0);
      if (grad_jacobian) value += x * grad_jacobian[3 * f] + y * grad_jacobian[3 * f + 1] + z * grad_jacobian[3 * f + 2];
      give(int64_t(cell.row[k]), f, value);
    }
  }
}

// What flows to the point through one level, added to `to_point`. Either gradient may be null.
template <typename T>
S3D_HD void point_gradient(const Cell<T>& cell, const T* table, int64_t channels, const T* grad, const T* grad_jacobian,
                           T* to_point) {
  S3D_UNROLL
  for (int k = 0; k < 8; ++k) {
    for (int64_t f = 0; f < channels; ++f) {
      const T entry = table[int64_t(cell.row[k]) * channels + f];
      S3D_UNROLL
      for (int j = 0; j < 3; ++j) {
        T slope = grad ? grad[f] * cell.first(k, j) : T(0);
        if (grad_jacobian)
          S3D_UNROLL
          for (int i = 0; i < 3; ++i) slope += grad_jacobian[3 * f + i] * cell.second(k, i, j);
        to_point[j] += slope * entry;
      }
    }
  }
}

}  // namespace scene3d
