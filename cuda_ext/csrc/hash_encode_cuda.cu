// hash_encode on CUDA: a thread a level of a point.
#include "hash_encode_checks.h"
#include "launch.cuh"

namespace scene3d {
namespace {

using Ints = std::vector<int64_t>;

using Maybe = std::optional<Tensor>;

template <int CHANNELS, typename T>
__global__ void encode(HashLevel here, int64_t level, HashSizes s, const T* points, const T* table, T* features, T* jacobian) {
  const int64_t width = s.levels * s.channels;
  for (int64_t i = first_thread(); i < s.points; i += all_threads()) {
    const int64_t first = i * width + level * s.channels;
    encode_cell<CHANNELS>(Cell<T>(here, points + 3 * i), table, s.channels, features + first, jacobian ? jacobian + 3 * first : nullptr);
  }
}

template <int CHANNELS, typename T>
__global__ void encode_backward(HashLevel here, int64_t level, HashSizes s, const T* points, const T* table, const T* grad,
                                const T* grad_jacobian, T* to_points, T* to_table) {
  const int64_t width = s.levels * s.channels;
  for (int64_t i = first_thread(); i < s.points; i += all_threads()) {
    const Cell<T> cell(here, points + 3 * i);
    const int64_t first = i * width + level * s.channels;
    const T *above = grad ? grad + first : nullptr, *above_slope = grad_jacobian ? grad_jacobian + 3 * first : nullptr;
    if (to_table)
      table_gradient<CHANNELS>(cell, s.channels, above, above_slope,
                               [&](int64_t row, int64_t f, T value) { atomicAdd(to_table + row * s.channels + f, value); });
    // One launch a level, so that no two threads ever add to the same point.
    if (to_points) point_gradient(cell, table, s.channels, above, above_slope, to_points + 3 * i);
  }
}

std::tuple<Tensor, Tensor> forward(const Tensor& points, const Tensor& table, Ints resolutions, Ints starts, bool with_jacobian) {
  const char* op = "hash_encode";
  const HashSizes s = hash_sizes(op, points, table, resolutions, starts);
  const OnDeviceOf device(points);
  const Tensor p = rows(points), t = rows(table);
  const int64_t width = s.levels * s.channels;
  Tensor features = empty_like_shape(p, {s.points, width});
  Tensor jacobian = empty_like_shape(p, {with_jacobian ? s.points : 0, width, 3});
  with_scalar(p, [&](auto zero) {
    using T = decltype(zero);
    with_hash_channels(s.channels, [&](auto channels) {
      for (int64_t level = 0; level < s.levels; ++level)
        device.run(op, encode<channels(), T>, s.points, hash_level(resolutions, starts, level), level, s, read<T>(p), read<T>(t),
                   write<T>(features), with_jacobian ? write<T>(jacobian) : nullptr);
    });
  });
  return {features, jacobian};
}

std::tuple<Tensor, Tensor> backward(const Maybe& grad, const Maybe& grad_jacobian, const Tensor& points, const Tensor& table,
                                    Ints resolutions, Ints starts, bool for_points, bool for_table) {
  const char* op = "hash_encode_backward";
  const HashSizes s = hash_sizes(op, points, table, resolutions, starts);
  check_hash_gradients(op, s, points, grad, grad_jacobian);
  const OnDeviceOf device(points);
  const Tensor p = rows(points), t = rows(table);
  const Maybe g = grad ? Maybe(rows(*grad)) : Maybe(), h = grad_jacobian ? Maybe(rows(*grad_jacobian)) : Maybe();
  Tensor to_points = torch::stable::new_zeros(p, Ints{for_points ? s.points : 0, 3});
  Tensor to_table = torch::stable::new_zeros(t, Ints{for_table ? t.size(0) : 0, s.channels});
  with_scalar(p, [&](auto zero) {
    using T = decltype(zero);
    with_hash_channels(s.channels, [&](auto channels) {
      for (int64_t level = 0; level < s.levels; ++level)
        device.run(op, encode_backward<channels(), T>, s.points, hash_level(resolutions, starts, level), level, s, read<T>(p),
                   read<T>(t), g ? read<T>(*g) : nullptr, h ? read<T>(*h) : nullptr, for_points ? write<T>(to_points) : nullptr,
                   for_table ? write<T>(to_table) : nullptr);
    });
  });
  return {to_points, to_table};
}

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(scene3d, CUDA, m) {
  m.impl("hash_encode", TORCH_BOX(&forward));
  m.impl("hash_encode_backward", TORCH_BOX(&backward));
}

}  // namespace scene3d
