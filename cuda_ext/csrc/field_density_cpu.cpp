// field_density on the CPU: blocks of points shared out over threads.
#include <tuple>

#include "field_density_checks.h"
#include "pixel_field_cpu.h"

namespace scene3d {
namespace {

constexpr int64_t BLOCK = 64;

std::tuple<Tensor, Tensor> forward(const Tensor& folded, const Tensor& K, const Tensor& from_position,
                                   const Tensor& to_density, const Tensor& bias, const Tensor& points, int64_t height,
                                   int64_t width, double near, double far) {
  const Extent extent{height, width, near, far};
  const FieldSizes s = field_density_sizes("field_density", folded, K, from_position, to_density, bias, points, extent);
  const Tensor map = rows(folded), k = rows(K), w = rows(from_position), d = rows(to_density), p = rows(points);
  const int64_t each = points.size(1), blocks = (each + BLOCK - 1) / BLOCK;
  Tensor density = empty_like_shape(map, {s.batch, each});
  Tensor valid = torch::stable::new_empty(map, std::vector<int64_t>{s.batch, each}, Type::Bool);
  with_scalar(map, [&](auto zero) {
    using T = decltype(zero);
    const FieldPointers<T> field{s, extent, read<T>(map), read<T>(k), nullptr, nullptr, read<T>(bias)};
    const FieldNetwork<T> network(s, read<T>(w), read<T>(d));
    T* dense = write<T>(density);
    bool* seen = write<bool>(valid);
    torch::stable::parallel_for(0, s.batch * blocks, 4, [&](int64_t begin, int64_t end) {
      FieldBlock<T> block(network, s, BLOCK);
      for (int64_t job = begin; job < end; ++job) {
        const int64_t scene = job / blocks, first = scene * each + job % blocks * BLOCK;
        const int64_t count = std::min(BLOCK, (scene + 1) * each - first);
        block.look(field.scene(scene), read<T>(p) + 3 * first, count);
        for (int64_t i = 0; i < count; ++i) {
          dense[first + i] = softplus(block.logit[i]);
          seen[first + i] = block.valid[i];
        }
      }
    });
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
  check_shape(op, "grad", grad, {s.batch, points.size(1)});
  check_like(op, "grad", grad, folded, "folded");
  const Tensor map = rows(folded), k = rows(K), w = rows(from_position), d = rows(to_density), p = rows(points), g = rows(grad);
  const int64_t each = points.size(1), blocks = (each + BLOCK - 1) / BLOCK;
  Tensor to_map = torch::stable::new_zeros(map, std::vector<int64_t>{s.batch, s.map_height, s.map_width, s.hidden});
  Tensor to_weights = empty_like_shape(map, {s.hidden, s.encoded}), to_dense = empty_like_shape(map, {s.hidden});
  Tensor to_bias = empty_like_shape(map, {});
  with_scalar(map, [&](auto zero) {
    using T = decltype(zero);
    constexpr int64_t EACH = 8;  // blocks of points that a thread adds up before the map has its turn
    const FieldPointers<T> field{s, extent, read<T>(map), read<T>(k), nullptr, nullptr, read<T>(bias)};
    const FieldNetwork<T> network(s, read<T>(w), read<T>(d));
    FieldGradient<T> gradient(s, network, EACH * BLOCK);
    const T* above = read<T>(g);
    constexpr int64_t A_TURN = FieldGradient<T>::BLOCKS * EACH;
    for (int64_t start = 0; start < s.batch * blocks; start += A_TURN) {
      gradient.begin_turn();
      torch::stable::parallel_for(0, FieldGradient<T>::BLOCKS, 1, [&](int64_t begin, int64_t end) {
        FieldBlock<T> block(network, s, BLOCK);
        for (int64_t part = begin; part < end; ++part) {
          const int64_t last = std::min(start + (part + 1) * EACH, s.batch * blocks);
          for (int64_t job = start + part * EACH; job < last; ++job) {
            const int64_t scene = job / blocks, first = scene * each + job % blocks * BLOCK;
            const int64_t count = std::min(BLOCK, (scene + 1) * each - first);
            block.look(field.scene(scene), read<T>(p) + 3 * first, count);
            gradient.add(
                part, scene, block, count, [&](int64_t i) { return above[first + i] * logistic(block.logit[i]); },
                [](int64_t, T*) {});
          }
        }
      });
      gradient.end_turn(write<T>(to_map));
    }
    gradient.network_sums(write<T>(to_weights), write<T>(to_dense), write<T>(to_bias));
  });
  return {to_map, to_weights, to_dense, to_bias};
}

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(scene3d, CPU, m) {
  m.impl("field_density", TORCH_BOX(&forward));
  m.impl("field_density_backward", TORCH_BOX(&backward));
}

}  // namespace scene3d
