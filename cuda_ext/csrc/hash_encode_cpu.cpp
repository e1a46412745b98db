// hash_encode on the CPU. Forward shares out points over threads; backward to the table shares out levels, whose rows
// never meet, so that it is deterministic.
#include <algorithm>

#include "hash_encode_checks.h"

namespace scene3d {
namespace {

constexpr int64_t POINTS_A_THREAD = 512;
constexpr int64_t BLOCK = 1 << 16;  // points for which the rows of a level are worth fetching into the cache
using Ints = std::vector<int64_t>;
using Maybe = std::optional<Tensor>;

// Calls body(i, cell) for the points begin to end - 1 in a level. Some cells are computed together, as vectors.
template <typename T, typename Body>
void each_cell(const HashLevel& level, const T* points, int64_t begin, int64_t end, const Body& body) {
  constexpr int TOGETHER = 16;
  int32_t row[8][TOGETHER];
  T along[3][TOGETHER], change[3][TOGETHER];
  const auto together = [&](auto dense, int64_t first, int count) {
#pragma omp simd
    for (int p = 0; p < TOGETHER; ++p) {
      // Beyond the last point the last is taken again, so that the loop has one length.
      Cell<T> cell;
      cell.template look<dense()>(level, points + 3 * (first + (p < count ? p : count - 1)));
      for (int k = 0; k < 8; ++k) row[k][p] = cell.row[k];
      for (int axis = 0; axis < 3; ++axis) along[axis][p] = cell.along[axis], change[axis][p] = cell.change[axis];
    }
  };
  const bool dense = level.dense();
  for (int64_t first = begin; first < end; first += TOGETHER) {
    const int count = static_cast<int>(std::min<int64_t>(TOGETHER, end - first));
    if (dense) together(std::true_type{}, first, count); else together(std::false_type{}, first, count);
    for (int p = 0; p < count; ++p) {
      Cell<T> cell;
      for (int k = 0; k < 8; ++k) cell.row[k] = row[k][p];
      for (int axis = 0; axis < 3; ++axis) cell.along[axis] = along[axis][p], cell.change[axis] = change[axis][p];
      body(first + p, cell);
    }
  }
}

std::tuple<Tensor, Tensor> forward(const Tensor& points, const Tensor& table, Ints resolutions, Ints starts, bool with_jacobian) {
  const HashSizes s = hash_sizes("hash_encode", points, table, resolutions, starts);
  const Tensor p = rows(points), t = rows(table);
  const int64_t width = s.levels * s.channels;
  Tensor features = empty_like_shape(p, {s.points, width});
  Tensor jacobian = empty_like_shape(p, {with_jacobian ? s.points : 0, width, 3});
  with_scalar(p, [&](auto zero) {
    using T = decltype(zero);
    const T *from = read<T>(p), *entries = read<T>(t);
    T *to = write<T>(features), *to_slopes = write<T>(jacobian);
    with_hash_channels(s.channels, [&](auto channels) {
      torch::stable::parallel_for(0, s.points, POINTS_A_THREAD, [&](int64_t begin, int64_t end) {
        // Level after level, so that the table of one stays in the cache; some points at a time, so that these do.
        for (int64_t block = begin; block < end; block += BLOCK) {
          for (int64_t level = 0; level < s.levels; ++level) {
            each_cell(hash_level(resolutions, starts, level), from, block, std::min(block + BLOCK, end),
                      [&](int64_t i, const Cell<T>& cell) {
                        const int64_t first = i * width + level * s.channels;
                        encode_cell<channels()>(cell, entries, s.channels, to + first,
                                                with_jacobian ? to_slopes + 3 * first : nullptr);
                      });
          }
        }
      });
    });
  });
  return {features, jacobian};
}

std::tuple<Tensor, Tensor> backward(const Maybe& grad, const Maybe& grad_jacobian, const Tensor& points, const Tensor& table,
                                    Ints resolutions, Ints starts, bool for_points, bool for_table) {
  const char* op = "hash_encode_backward";
  const HashSizes s = hash_sizes(op, points, table, resolutions, starts);
  check_hash_gradients(op, s, points, grad, grad_jacobian);
  const int64_t width = s.levels * s.channels;
  const Tensor p = rows(points), t = rows(table);
  const Maybe g = grad ? Maybe(rows(*grad)) : Maybe(), h = grad_jacobian ? Maybe(rows(*grad_jacobian)) : Maybe();
  Tensor to_points = torch::stable::new_zeros(p, Ints{for_points ? s.points : 0, 3});
  Tensor to_table = torch::stable::new_zeros(t, Ints{for_table ? t.size(0) : 0, s.channels});
  with_scalar(p, [&](auto zero) {
    using T = decltype(zero);
    const T* from = read<T>(p);
    const T *above = g ? read<T>(*g) : nullptr, *above_slope = h ? read<T>(*h) : nullptr;
    if (for_table) {
      with_hash_channels(s.channels, [&](auto channels) {
        torch::stable::parallel_for(0, s.levels, 1, [&](int64_t begin, int64_t end) {
          T* entries = write<T>(to_table);
          for (int64_t block = 0; block < s.points; block += BLOCK) {
            for (int64_t level = begin; level < end; ++level) {
              each_cell(hash_level(resolutions, starts, level), from, block, std::min(block + BLOCK, s.points),
                        [&](int64_t i, const Cell<T>& cell) {
                          const int64_t first = i * width + level * s.channels;
                          table_gradient<channels()>(
                              cell, s.channels, above ? above + first : nullptr, above_slope ? above_slope + 3 * first : nullptr,
                              [&](int64_t row, int64_t f, T value) { entries[row * s.channels + f] += value; });
                        });
            }
          }
        });
      });
    }
    if (for_points) {
      torch::stable::parallel_for(0, s.points, POINTS_A_THREAD, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
          for (int64_t level = 0; level < s.levels; ++level) {
            const int64_t first = i * width + level * s.channels;
            point_gradient(Cell<T>(hash_level(resolutions, starts, level), from + 3 * i), read<T>(t), s.channels,
                           above ? above + first : nullptr, above_slope ? above_slope + 3 * first : nullptr,
                           write<T>(to_points) + 3 * i);
          }
        }
      });
    }
  });
  return {to_points, to_table};
}

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(scene3d, CPU, m) {
  m.impl("hash_encode", TORCH_BOX(&forward));
  m.impl("hash_encode_backward", TORCH_BOX(&backward));
}

}  // namespace scene3d
