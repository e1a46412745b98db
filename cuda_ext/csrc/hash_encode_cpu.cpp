// hash_encode on the CPU. Forward shares out points over threads; backward to the table shares out levels, whose rows
// never meet, so that it is deterministic.
#include <algorithm>

#include "hash_encode_frame.h"

namespace scene3d {
namespace {

constexpr int64_t POINTS_A_THREAD = 512;
constexpr int64_t BLOCK = 1 << 16;  // points for which the rows of a level are worth fetching into the cache

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

struct Cpu : OnHost {
  using OnHost::OnHost;

  template <typename T>
  void forward(const HashArrays<T>& in, const HashLevels& levels, T* features, T* jacobian) const {
    const HashSizes& s = in.size;
    with_count<1, 2, 4, 8>(s.channels, [&](auto channels) {
      torch::stable::parallel_for(0, s.points, POINTS_A_THREAD, [&](int64_t begin, int64_t end) {
        // Level after level, so that the table of one stays in the cache; some points at a time, so that these do.
        for (int64_t block = begin; block < end; block += BLOCK) {
          for (int64_t level = 0; level < s.levels; ++level) {
            each_cell(levels[level], in.points, block, std::min(block + BLOCK, end), [&](int64_t i, const Cell<T>& cell) {
              const int64_t first = s.first(i, level);
              encode_cell<channels()>(cell, in.table, s.channels, features + first, jacobian ? jacobian + 3 * first : nullptr);
            });
          }
        }
      });
    });
  }

  template <typename T>
  void backward(const HashArrays<T>& in, const HashLevels& levels, const HashAbove<T>& above, const ToHash<T>& to) const {
    if (to.table) add_to_table(in, levels, above, to.table);
    if (to.points) add_to_points(in, levels, above, to.points);
  }

 private:
  template <typename T>
  static void add_to_table(const HashArrays<T>& in, const HashLevels& levels, const HashAbove<T>& above, T* to_table) {
    const HashSizes& s = in.size;
    with_count<1, 2, 4, 8>(s.channels, [&](auto channels) {
      torch::stable::parallel_for(0, s.levels, 1, [&](int64_t begin, int64_t end) {
        for (int64_t block = 0; block < s.points; block += BLOCK) {
          for (int64_t level = begin; level < end; ++level) {
            each_cell(levels[level], in.points, block, std::min(block + BLOCK, s.points), [&](int64_t i, const Cell<T>& cell) {
              const HashAbove<T> here = above.at(s.first(i, level));
              table_gradient<channels()>(cell, s.channels, here.features, here.jacobian,
                                         [&](int64_t row, int64_t f, T value) { to_table[row * s.channels + f] += value; });
            });
          }
        }
      });
    });
  }

  template <typename T>
  static void add_to_points(const HashArrays<T>& in, const HashLevels& levels, const HashAbove<T>& above, T* to_points) {
    const HashSizes& s = in.size;
    torch::stable::parallel_for(0, s.points, POINTS_A_THREAD, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        for (int64_t level = 0; level < s.levels; ++level) {
          const HashAbove<T> here = above.at(s.first(i, level));
          point_gradient(Cell<T>(levels[level], in.points + 3 * i), in.table, s.channels, here.features, here.jacobian,
                         to_points + 3 * i);
        }
      }
    });
  }
};

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(scene3d, CPU, m) {
  m.impl("hash_encode", TORCH_BOX(&hash_encode<Cpu>));
  m.impl("hash_encode_backward", TORCH_BOX(&hash_encode_backward<Cpu>));
}

}  // namespace scene3d
