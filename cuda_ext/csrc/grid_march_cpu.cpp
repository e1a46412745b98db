// grid_march on the CPU: rays shared out over threads, counted first and written next.
#include <tuple>

#include "grid_march_checks.h"

namespace scene3d {
namespace {

constexpr int64_t RAYS_A_THREAD = 32;
using Doubles = std::vector<double>;

Tensor count(const Tensor& origins, const Tensor& directions, const Tensor& near, const Tensor& far, const Tensor& occupancy,
             int64_t cells, Doubles cube, double step, double cone) {
  const Stride stride{step, cone};
  const int64_t rays = check_march("grid_march_count", origins, directions, near, far, occupancy, cells, cube, stride);
  const Tensor o = rows(origins), d = rows(directions), n = rows(near), f = rows(far), bits = rows(occupancy);
  Tensor out = torch::stable::new_empty(o, std::vector<int64_t>{rays}, Type::Long);
  auto* counts = write<int64_t>(out);
  with_scalar(o, [&](auto zero) {
    using T = decltype(zero);
    const Cubes<T> cubes = cubes_of<T>(bits, cells, cube);
    torch::stable::parallel_for(0, rays, RAYS_A_THREAD, [&](int64_t begin, int64_t end) {
      for (int64_t ray = begin; ray < end; ++ray) {
        int64_t kept = 0;
        march_ray(cubes, read<T>(o) + 3 * ray, read<T>(d) + 3 * ray, read<T>(n)[ray], read<T>(f)[ray], stride,
                  [&](T, T) { return ++kept, true; });
        counts[ray] = kept;
      }
    });
  });
  return out;
}

std::tuple<Tensor, Tensor> fill(const Tensor& origins, const Tensor& directions, const Tensor& near, const Tensor& far,
                                const Tensor& occupancy, int64_t cells, Doubles cube, double step, double cone,
                                const Tensor& offsets, int64_t total) {
  const char* op = "grid_march_fill";
  const Stride stride{step, cone};
  const int64_t rays = check_march(op, origins, directions, near, far, occupancy, cells, cube, stride);
  check_shape(op, "offsets", offsets, {rays + 1});
  STD_TORCH_CHECK(offsets.scalar_type() == Type::Long, op, ": offsets: expected int64, got another dtype");
  const Tensor o = rows(origins), d = rows(directions), n = rows(near), f = rows(far), bits = rows(occupancy), at = rows(offsets);
  Tensor from = torch::stable::new_zeros(o, std::vector<int64_t>{total}), to = torch::stable::new_zeros(o, std::vector<int64_t>{total});
  with_scalar(o, [&](auto zero) {
    using T = decltype(zero);
    const Cubes<T> cubes = cubes_of<T>(bits, cells, cube);
    torch::stable::parallel_for(0, rays, RAYS_A_THREAD, [&](int64_t begin, int64_t end) {
      for (int64_t ray = begin; ray < end; ++ray) {
        MarchWriter<T> writer{larger<int64_t>(read<int64_t>(at)[ray], 0), smaller(read<int64_t>(at)[ray + 1], total),
                              write<T>(from), write<T>(to)};
        march_ray(cubes, read<T>(o) + 3 * ray, read<T>(d) + 3 * ray, read<T>(n)[ray], read<T>(f)[ray], stride,
                  [&](T begin_, T end_) { return writer(begin_, end_); });
      }
    });
  });
  return {from, to};
}

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(scene3d, CPU, m) {
  m.impl("grid_march_count", TORCH_BOX(&count));
  m.impl("grid_march_fill", TORCH_BOX(&fill));
}

}  // namespace scene3d
