// What both drivers of hash_encode ask of their arguments.
#pragma once

#include <optional>
#include <tuple>

#include "check.h"
#include "hash_encode.h"

namespace scene3d {

struct HashSizes {
  int64_t points, channels, levels;
};

inline HashSizes hash_sizes(const char* op, const Tensor& points, const Tensor& table, const std::vector<int64_t>& resolutions,
                            const std::vector<int64_t>& starts) {
  check_floating(op, "points", points);
  check_shape(op, "points", points, {-1, 3});
  check_shape(op, "table", table, {-1, -1});
  check_like(op, "table", table, points, "points");
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

inline void check_hash_gradients(const char* op, const HashSizes& s, const Tensor& points, const std::optional<Tensor>& grad,
                                 const std::optional<Tensor>& grad_jacobian) {
  const int64_t width = s.levels * s.channels;
  if (grad) {
    check_shape(op, "grad", *grad, {s.points, width});
    check_like(op, "grad", *grad, points, "points");
  }
  if (grad_jacobian) {
    check_shape(op, "grad_jacobian", *grad_jacobian, {s.points, width, 3});
    check_like(op, "grad_jacobian", *grad_jacobian, points, "points");
  }
}

// Calls body with the channels of a level as a compile-time constant where it is a common number, else with 0.
template <typename Body>
void with_hash_channels(int64_t channels, const Body& body) {
  switch (channels) {
    case 1: return body(std::integral_constant<int, 1>{});
    case 2: return body(std::integral_constant<int, 2>{});
    case 4: return body(std::integral_constant<int, 4>{});
    case 8: return body(std::integral_constant<int, 8>{});
    default: return body(std::integral_constant<int, 0>{});
  }
}

inline HashLevel hash_level(const std::vector<int64_t>& resolutions, const std::vector<int64_t>& starts, int64_t level) {
  return {resolutions[level], starts[level], starts[level + 1] - starts[level]};
}

}  // namespace scene3d
