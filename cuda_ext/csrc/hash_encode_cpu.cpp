// hash_encode on the CPU. Forward shares out points over threads; backward shares out levels, whose rows never meet, so
// that it is deterministic.
#include "hash_encode_checks.h"

namespace scene3d {
namespace {

constexpr int64_t POINTS_A_THREAD = 512;
using Ints = std::vector<int64_t>;

std::tuple<Tensor, Tensor> forward(const Tensor& points, const Tensor& table, Ints resolutions, Ints starts) {
  const HashSizes s = hash_sizes("hash_encode", points, table, resolutions, starts);
  const Tensor p = rows(points), t = rows(table);
  const int64_t width = s.levels * s.channels;
  Tensor features = empty_like_shape(p, {s.points, width}), jacobian = empty_like_shape(p, {s.points, width, 3});
  with_scalar(p, [&](auto zero) {
    using T = decltype(zero);
    torch::stable::parallel_for(0, s.points, POINTS_A_THREAD, [&](int64_t begin, int64_t end) {
      // Level after level, so that the table of one stays in the cache.
      for (int64_t level = 0; level < s.levels; ++level) {
        const HashLevel here = hash_level(resolutions, starts, level);
        for (int64_t i = begin; i < end; ++i) {
          const int64_t first = i * width + level * s.channels;
          encode_level(here, read<T>(p) + 3 * i, read<T>(t), s.channels, write<T>(features) + first,
                       write<T>(jacobian) + 3 * first);
        }
      }
    });
  });
  return {features, jacobian};
}

std::tuple<Tensor, Tensor> backward(const Tensor& grad, const Tensor& grad_jacobian, const Tensor& points, const Tensor& table,
                                    Ints resolutions, Ints starts) {
  const char* op = "hash_encode_backward";
  const HashSizes s = hash_sizes(op, points, table, resolutions, starts);
  const int64_t width = s.levels * s.channels;
  check_shape(op, "grad", grad, {s.points, width});
  check_shape(op, "grad_jacobian", grad_jacobian, {s.points, width, 3});
  check_like(op, "grad", grad, points, "points");
  check_like(op, "grad_jacobian", grad_jacobian, points, "points");
  const Tensor p = rows(points), t = rows(table), g = rows(grad), h = rows(grad_jacobian);
  Tensor to_points = torch::stable::new_zeros(p, Ints{s.points, 3}), to_table = torch::stable::new_zeros(t, Ints{t.size(0), s.channels});
  with_scalar(p, [&](auto zero) {
    using T = decltype(zero);
    torch::stable::parallel_for(0, s.levels, 1, [&](int64_t begin, int64_t end) {
      for (int64_t level = begin; level < end; ++level) {
        const HashLevel here = hash_level(resolutions, starts, level);
        for (int64_t i = 0; i < s.points; ++i) {
          const Cell<T> cell(here, read<T>(p) + 3 * i);
          const int64_t first = i * width + level * s.channels;
          for (int k = 0; k < 8; ++k) {
            T* entry = write<T>(to_table) + cell.row[k] * s.channels;
            for (int64_t f = 0; f < s.channels; ++f)
              entry[f] += entry_gradient(cell, k, read<T>(g)[first + f], read<T>(h) + 3 * (first + f));
          }
        }
      }
    });
    torch::stable::parallel_for(0, s.points, POINTS_A_THREAD, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        for (int64_t level = 0; level < s.levels; ++level) {
          const int64_t first = i * width + level * s.channels;
          point_gradient(Cell<T>(hash_level(resolutions, starts, level), read<T>(p) + 3 * i), read<T>(t), s.channels,
                         read<T>(g) + first, read<T>(h) + 3 * first, write<T>(to_points) + 3 * i);
        }
      }
    });
  });
  return {to_points, to_table};
}

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(scene3d, CPU, m) {
  m.impl("hash_encode", TORCH_BOX(&forward));
  m.impl("hash_encode_backward", TORCH_BOX(&backward));
}

}  // namespace scene3d
