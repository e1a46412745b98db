// field_density on CUDA: a warp a point, its lanes share out the hidden layer.
#include <tuple>

#include "field_density_checks.h"
#include "pixel_field.cuh"

namespace scene3d {
namespace {

template <typename T>
__global__ void ask(FieldPointers<T> in, int64_t each, const T* points, T* density, bool* valid) {
  const WarpLanes lanes;
  for (int64_t i = first_thread() / WARP; i < in.size.batch * each; i += all_threads() / WARP) {
    const PixelField<T> field = in.scene(i / each);
    const LaneSample<T, WarpLanes> at(field, points + 3 * i, lanes);
    if (lanes.lane() == 0) {
      density[i] = softplus(at.logit);
      valid[i] = at.place.valid;
    }
  }
}

template <typename T>
__global__ void ask_backward(FieldPointers<T> in, int64_t each, const T* points, const T* grad, T* to_map, T* sums, bool shared) {
  with_network_sums<T>(in.size, shared, sums, [&](const NetworkSums<T>& network) {
    const WarpLanes lanes;
    const int64_t numbers = in.size.map_height * in.size.map_width * in.size.hidden;
    for (int64_t i = first_thread() / WARP; i < in.size.batch * each; i += all_threads() / WARP) {
      const PixelField<T> field = in.scene(i / each);
      const LaneSample<T, WarpLanes> at(field, points + 3 * i, lanes);
      const T to_logit = grad[i] * logistic(at.logit);
      for (int64_t c = lanes.lane(), kept = 0; c < field.hidden; c += WARP, ++kept) {
        const T above = at.hidden[kept] > 0 ? to_logit * field.to_density[c] : T(0);
        network.add(at.code, c, to_logit, at.hidden[kept], above);
        add_to_corners(to_map + i / each * numbers, at, field.hidden, c, above);
      }
    }
  });
}

std::tuple<Tensor, Tensor> forward(const Tensor& folded, const Tensor& K, const Tensor& from_position,
                                   const Tensor& to_density, const Tensor& bias, const Tensor& points, int64_t height,
                                   int64_t width, double near, double far) {
  const char* op = "field_density";
  const Extent extent{height, width, near, far};
  const FieldSizes s = field_density_sizes(op, folded, K, from_position, to_density, bias, points, extent);
  check_lanes(op, s);
  const OnDeviceOf device(folded);
  const Tensor map = rows(folded), k = rows(K), w = transposed(from_position), d = rows(to_density), p = rows(points);
  const int64_t each = points.size(1);
  Tensor density = empty_like_shape(map, {s.batch, each});
  Tensor valid = torch::stable::new_empty(map, std::vector<int64_t>{s.batch, each}, Type::Bool);
  with_scalar(map, [&](auto zero) {
    using T = decltype(zero);
    const FieldPointers<T> in{s, extent, read<T>(map), read<T>(k), read<T>(w), read<T>(d), read<T>(bias)};
    device.run(op, ask<T>, s.batch * each * WARP, in, each, read<T>(p), write<T>(density), write<bool>(valid));
  });
  return {density, valid};
}

std::tuple<Tensor, Tensor, Tensor, Tensor> backward(const Tensor& grad, const Tensor& folded, const Tensor& K,
                                                    const Tensor& from_position, const Tensor& to_density, const Tensor& bias,
                                                    const Tensor& points, int64_t height, int64_t width, double near,
                                                    double far) {
  const char* op = "field_density_backward";
  const Extent extent{height, width, near, far};
  const FieldSizes s = field_density_sizes(op, folded, K, from_position, to_density, bias, points, extent);
  check_lanes(op, s);
  check_shape(op, "grad", grad, {s.batch, points.size(1)});
  check_like(op, "grad", grad, folded, "folded");
  const OnDeviceOf device(folded);
  const Tensor map = rows(folded), k = rows(K), w = transposed(from_position), d = rows(to_density), p = rows(points), g = rows(grad);
  const int64_t each = points.size(1);
  Tensor to_map = torch::stable::new_zeros(map, std::vector<int64_t>{s.batch, s.map_height, s.map_width, s.hidden});
  Tensor sums = torch::stable::new_zeros(map, std::vector<int64_t>{network_numbers(s)});
  with_scalar(map, [&](auto zero) {
    using T = decltype(zero);
    const FieldPointers<T> in{s, extent, read<T>(map), read<T>(k), read<T>(w), read<T>(d), read<T>(bias)};
    const int64_t shared = shared_bytes<T>(s);
    device.run_in(op, ask_backward<T>, s.batch * each * WARP, MOST_SUMMING_BLOCKS, shared, in, each, read<T>(p), read<T>(g),
                  write<T>(to_map), write<T>(sums), shared > 0);
  });
  return field_gradients(s, to_map, sums);
}

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(scene3d, CUDA, m) {
  m.impl("field_density", TORCH_BOX(&forward));
  m.impl("field_density_backward", TORCH_BOX(&backward));
}

}  // namespace scene3d
