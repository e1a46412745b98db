// hash_encode from tensors to results, the same on every device; a driver loops over points and levels.
#pragma once

#include <tuple>

#include "check.h"
#include "hash_encode.h"

namespace scene3d {

struct HashSizes {
  int64_t points, channels, levels;

  S3D_HD int64_t first(int64_t point, int64_t level) const { return (point * levels + level) * channels; }
};

struct HashLevels {
  const Sizes &resolutions, &starts;

  HashLevel operator[](int64_t level) const { return {resolutions[level], starts[level], starts[level + 1] - starts[level]}; }
};

template <typename T>
struct HashArrays {
  HashSizes size;
  const T *points, *table;
};

// Gradients of features and of their Jacobian; either may be null.
template <typename T>
struct HashAbove {
  const T *features, *jacobian;

  S3D_HD HashAbove at(int64_t first) const {
    return {features ? features + first : nullptr, jacobian ? jacobian + 3 * first : nullptr};
  }
};

// Null where it is not asked for.
template <typename T>
struct ToHash {
  T *points, *table;
};

inline HashSizes hash_sizes(const char* op, const Tensor& points, const Tensor& table, const Sizes& resolutions,
                            const Sizes& starts) {
  check_floating(op, "points", points);
  check_shape(op, "points", points, {-1, 3});
  check_shape(op, "table", table, {-1, -1});
  check_like(op, {{"table", table}}, points, "points");
  STD_TORCH_CHECK(table.size(0) < (int64_t(1) << 31), op, ": table: expected fewer than 2^31 rows, got ", table.size(0));
  const int64_t levels = static_cast<int64_t>(resolutions.size());
  STD_TORCH_CHECK(static_cast<int64_t>(starts.size()) == levels + 1 && starts.front() == 0 && starts.back() == table.size(0), op,
                  ": starts: expected one more than resolutions, from 0 to the rows of the table");
  for (int64_t level = 0; level < levels; ++level) {
    const int64_t size = starts[level + 1] - starts[level], edge = resolutions[level] + 1;
    STD_TORCH_CHECK(resolutions[level] > 0 && resolutions[level] < (1 << 20), op, ": resolutions: expected 1 to 2^20, got ",
                    resolutions[level]);
    STD_TORCH_CHECK(size > 0 && (edge * edge * edge <= size || (size & (size - 1)) == 0), op,
                    ": starts: expected a row for every corner or a power of two of them, got ", size, " for level ", level);
  }
  return {points.size(0), table.size(1), levels};
}

inline void check_hash_gradient(const char* op, const char* name, const Maybe& grad, const Sizes& sizes, const Tensor& points) {
  if (!grad) return;
  check_shape(op, name, *grad, sizes);
  check_like(op, {{name, *grad}}, points, "points");
}

template <typename Driver>
std::tuple<Tensor, Tensor> hash_encode(const Tensor& points, const Tensor& table, Sizes resolutions, Sizes starts,
                                       bool with_jacobian) {
  const HashSizes s = hash_sizes("hash_encode", points, table, resolutions, starts);
  const int64_t width = s.levels * s.channels;
  Tensor features = empty(points, {s.points, width}), jacobian = empty(points, {with_jacobian ? s.points : 0, width, 3});
  const Driver on(points);
  with_scalar(points, [&]<typename T>(T) {
    Rows rows;
    on.forward(HashArrays<T>{s, rows.of<T>(points), rows.of<T>(table)}, HashLevels{resolutions, starts}, write<T>(features),
               with_jacobian ? write<T>(jacobian) : nullptr);
  });
  return {features, jacobian};
}

template <typename Driver>
std::tuple<Tensor, Tensor> hash_encode_backward(const Maybe& grad, const Maybe& grad_jacobian, const Tensor& points,
                                                const Tensor& table, Sizes resolutions, Sizes starts, bool for_points,
                                                bool for_table) {
  const char* op = "hash_encode_backward";
  const HashSizes s = hash_sizes(op, points, table, resolutions, starts);
  const int64_t width = s.levels * s.channels;
  check_hash_gradient(op, "grad", grad, {s.points, width}, points);
  check_hash_gradient(op, "grad_jacobian", grad_jacobian, {s.points, width, 3}, points);
  Tensor to_points = zeros(points, {for_points ? s.points : 0, 3});
  Tensor to_table = zeros(table, {for_table ? table.size(0) : 0, s.channels});
  const Driver on(points);
  with_scalar(points, [&]<typename T>(T) {
    Rows rows;
    on.backward(HashArrays<T>{s, rows.of<T>(points), rows.of<T>(table)}, HashLevels{resolutions, starts},
                HashAbove<T>{rows.of<T>(grad), rows.of<T>(grad_jacobian)},
                ToHash<T>{for_points ? write<T>(to_points) : nullptr, for_table ? write<T>(to_table) : nullptr});
  });
  return {to_points, to_table};
}

}  // namespace scene3d
