// hash_encode on CUDA: a thread a level of a point.
#include "hash_encode_frame.h"
#include "launch.cuh"

namespace scene3d {
namespace {

template <int CHANNELS, typename T>
__global__ void encode(HashLevel here, int64_t level, HashArrays<T> in, T* features, T* jacobian) {
  const HashSizes& s = in.size;
  for (int64_t i = first_thread(); i < s.points; i += all_threads()) {
    const int64_t first = s.first(i, level);
    encode_cell<CHANNELS>(Cell<T>(here, in.points + 3 * i), in.table, s.channels, features + first,
                          jacobian ? jacobian + 3 * first : nullptr);
  }
}

template <int CHANNELS, typename T>
__global__ void encode_backward(HashLevel here, int64_t level, HashArrays<T> in, HashAbove<T> above, ToHash<T> to) {
  const HashSizes& s = in.size;
  for (int64_t i = first_thread(); i < s.points; i += all_threads()) {
    const Cell<T> cell(here, in.points + 3 * i);
    const HashAbove<T> mine = above.at(s.first(i, level));
    if (to.table)
      table_gradient<CHANNELS>(cell, s.channels, mine.features, mine.jacobian,
                               [&](int64_t row, int64_t f, T value) { atomicAdd(to.table + row * s.channels + f, value); });
    // One launch a level, so that no two threads ever add to the same point.
    if (to.points) point_gradient(cell, in.table, s.channels, mine.features, mine.jacobian, to.points + 3 * i);
  }
}

struct Cuda : OnDeviceOf {
  using OnDeviceOf::OnDeviceOf;

  template <typename T>
  void forward(const HashArrays<T>& in, const HashLevels& levels, T* features, T* jacobian) const {
    with_count<1, 2, 4, 8>(in.size.channels, [&](auto channels) {
      for (int64_t level = 0; level < in.size.levels; ++level)
        run("hash_encode", encode<channels(), T>, in.size.points, levels[level], level, in, features, jacobian);
    });
  }

  template <typename T>
  void backward(const HashArrays<T>& in, const HashLevels& levels, const HashAbove<T>& above, const ToHash<T>& to) const {
    with_count<1, 2, 4, 8>(in.size.channels, [&](auto channels) {
      for (int64_t level = 0; level < in.size.levels; ++level)
        run("hash_encode_backward", encode_backward<channels(), T>, in.size.points, levels[level], level, in, above, to);
    });
  }
};

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(scene3d, CUDA, m) {
  m.impl("hash_encode", TORCH_BOX(&hash_encode<Cuda>));
  m.impl("hash_encode_backward", TORCH_BOX(&hash_encode_backward<Cuda>));
}

}  // namespace scene3d
