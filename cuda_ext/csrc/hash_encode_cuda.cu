// hash_encode on CUDA: a thread a level of a point.
#include "hash_encode_checks.h"
#include "launch.cuh"

namespace scene3d {
namespace {

using Ints = std::vector<int64_t>;

template <typename T>
__global__ void encode(HashLevel here, int64_t level, HashSizes s, const T* points, const T* table, T* features, T* jacobian) {
  const int64_t width = s.levels * s.channels;
  for (int64_t i = first_thread(); i < s.points; i += all_threads()) {
    const int64_t first = i * width + level * s.channels;
    encode_level(here, points + 3 * i, table, s.channels, features + first, jacobian + 3 * first);
  }
}

template <typename T>
__global__ void encode_backward(HashLevel here, int64_t level, HashSizes s, const T* points, const T* table, const T* grad,
                                const T* grad_jacobian, T* to_points, T* to_table) {
  const int64_t width = s.levels * s.channels;
  for (int64_t i = first_thread(); i < s.points; i += all_threads()) {
    const Cell<T> cell(here, points + 3 * i);
    const int64_t first = i * width + level * s.channels;
    for (int k = 0; k < 8; ++k)
      for (int64_t f = 0; f < s.channels; ++f)
        atomicAdd(to_table + cell.row[k] * s.channels + f, entry_gradient(cell, k, grad[first + f], grad_jacobian + 3 * (first + f)));
    // One launch a level, so that no two threads ever add to the same point.
    point_gradient(cell, table, s.channels, grad + first, grad_jacobian + 3 * first, to_points + 3 * i);
  }
}

std::tuple<Tensor, Tensor> forward(const Tensor& points, const Tensor& table, Ints resolutions, Ints starts) {
  const char* op = "hash_encode";
  const HashSizes s = hash_sizes(op, points, table, resolutions, starts);
  const OnDeviceOf device(points);
  const Tensor p = rows(points), t = rows(table);
  const int64_t width = s.levels * s.channels;
  Tensor features = empty_like_shape(p, {s.points, width}), jacobian = empty_like_shape(p, {s.points, width, 3});
  with_scalar(p, [&](auto zero) {
    using T = decltype(zero);
    for (int64_t level = 0; level < s.levels; ++level)
      device.run(op, encode<T>, s.points, hash_level(resolutions, starts, level), level, s, read<T>(p), read<T>(t),
                 write<T>(features), write<T>(jacobian));
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
  const OnDeviceOf device(points);
  const Tensor p = rows(points), t = rows(table), g = rows(grad), h = rows(grad_jacobian);
  Tensor to_points = torch::stable::new_zeros(p, Ints{s.points, 3}), to_table = torch::stable::new_zeros(t, Ints{t.size(0), s.channels});
  with_scalar(p, [&](auto zero) {
    using T = decltype(zero);
    for (int64_t level = 0; level < s.levels; ++level)
      device.run(op, encode_backward<T>, s.points, hash_level(resolutions, starts, level), level, s, read<T>(p), read<T>(t),
                 read<T>(g), read<T>(h), write<T>(to_points), write<T>(to_table));
  });
  return {to_points, to_table};
}

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(scene3d, CUDA, m) {
  m.impl("hash_encode", TORCH_BOX(&forward));
  m.impl("hash_encode_backward", TORCH_BOX(&backward));
}

}  // namespace scene3d
