// grid_march on CUDA: a thread a ray, counted first and written next.
#include <tuple>

#include "grid_march_checks.h"
#include "launch.cuh"

namespace scene3d {
namespace {

using Doubles = std::vector<double>;

template <typename T>
__global__ void count_steps(Cubes<T> cubes, Stride stride, int64_t rays, const T* origins, const T* directions, const T* near,
                            const T* far, int64_t* counts) {
  for (int64_t ray = first_thread(); ray < rays; ray += all_threads()) {
    int64_t kept = 0;
    march_ray(cubes, origins + 3 * ray, directions + 3 * ray, near[ray], far[ray], stride, [&](T, T) { return ++kept, true; });
    counts[ray] = kept;
  }
}

template <typename T>
__global__ void fill_steps(Cubes<T> cubes, Stride stride, int64_t rays, int64_t total, const T* origins, const T* directions,
                           const T* near, const T* far, const int64_t* offsets, T* from, T* to) {
  for (int64_t ray = first_thread(); ray < rays; ray += all_threads()) {
    MarchWriter<T> writer{larger<int64_t>(offsets[ray], 0), smaller(offsets[ray + 1], total), from, to};
    march_ray(cubes, origins + 3 * ray, directions + 3 * ray, near[ray], far[ray], stride,
              [&](T begin, T end) { return writer(begin, end); });
  }
}

Tensor count(const Tensor& origins, const Tensor& directions, const Tensor& near, const Tensor& far, const Tensor& occupancy,
             int64_t cells, Doubles cube, double step, double cone) {
  const char* op = "grid_march_count";
  const Stride stride{step, cone};
  const int64_t rays = check_march(op, origins, directions, near, far, occupancy, cells, cube, stride);
  const OnDeviceOf device(origins);
  const Tensor o = rows(origins), d = rows(directions), n = rows(near), f = rows(far), bits = rows(occupancy);
  Tensor out = torch::stable::new_empty(o, std::vector<int64_t>{rays}, Type::Long);
  with_scalar(o, [&](auto zero) {
    using T = decltype(zero);
    device.run(op, count_steps<T>, rays, cubes_of<T>(bits, cells, cube), stride, rays, read<T>(o), read<T>(d), read<T>(n),
               read<T>(f), write<int64_t>(out));
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
  const OnDeviceOf device(origins);
  const Tensor o = rows(origins), d = rows(directions), n = rows(near), f = rows(far), bits = rows(occupancy), at = rows(offsets);
  Tensor from = torch::stable::new_zeros(o, std::vector<int64_t>{total}), to = torch::stable::new_zeros(o, std::vector<int64_t>{total});
  with_scalar(o, [&](auto zero) {
    using T = decltype(zero);
    device.run(op, fill_steps<T>, rays, cubes_of<T>(bits, cells, cube), stride, rays, total, read<T>(o), read<T>(d),
               read<T>(n), read<T>(f), read<int64_t>(at), write<T>(from), write<T>(to));
  });
  return {from, to};
}

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(scene3d, CUDA, m) {
  m.impl("grid_march_count", TORCH_BOX(&count));
  m.impl("grid_march_fill", TORCH_BOX(&fill));
}

}  // namespace scene3d
