// voxel_walk on CUDA: a thread a ray, counted first and written next.
#include <tuple>

#include "launch.cuh"
#include "voxel_walk_checks.h"

namespace scene3d {
namespace {

template <typename T>
__global__ void count_cells(Grid<T> grid, int64_t rays, const T* origins, const T* directions, const T* near, const T* far,
                            int64_t* counts) {
  for (int64_t ray = first_thread(); ray < rays; ray += all_threads()) {
    int64_t crossed = 0;
    walk_ray(grid, origins + 3 * ray, directions + 3 * ray, near[ray], far[ray], [&](int64_t, T, T) { ++crossed; });
    counts[ray] = crossed;
  }
}

template <typename T>
__global__ void fill_cells(Grid<T> grid, int64_t rays, int64_t total, const T* origins, const T* directions, const T* near,
                           const T* far, const int64_t* offsets, int64_t* cells, T* enter, T* leave) {
  for (int64_t ray = first_thread(); ray < rays; ray += all_threads()) {
    WalkWriter<T> writer{cells, larger<int64_t>(offsets[ray], 0), smaller(offsets[ray + 1], total), enter, leave};
    walk_ray(grid, origins + 3 * ray, directions + 3 * ray, near[ray], far[ray],
             [&](int64_t cell, T from, T to) { writer(cell, from, to); });
  }
}

Tensor count(const Tensor& origins, const Tensor& directions, const Tensor& near, const Tensor& far,
             std::vector<double> grid, std::vector<int64_t> shape) {
  const char* op = "voxel_walk_count";
  const int64_t rays = check_rays(op, origins, directions, near, far);
  const OnDeviceOf device(origins);
  const Tensor o = rows(origins), d = rows(directions), n = rows(near), f = rows(far);
  Tensor out = torch::stable::new_empty(o, std::vector<int64_t>{rays}, Type::Long);
  with_scalar(o, [&](auto zero) {
    using T = decltype(zero);
    device.run(op, count_cells<T>, rays, grid_of<T>(op, grid, shape), rays, read<T>(o), read<T>(d), read<T>(n), read<T>(f),
               write<int64_t>(out));
  });
  return out;
}

std::tuple<Tensor, Tensor, Tensor> fill(const Tensor& origins, const Tensor& directions, const Tensor& near,
                                        const Tensor& far, std::vector<double> grid, std::vector<int64_t> shape,
                                        const Tensor& offsets, int64_t total) {
  const char* op = "voxel_walk_fill";
  const int64_t rays = check_rays(op, origins, directions, near, far);
  check_offsets_of(op, offsets, rays);
  const OnDeviceOf device(origins);
  const Tensor o = rows(origins), d = rows(directions), n = rows(near), f = rows(far), at = rows(offsets);
  Tensor cells = torch::stable::new_empty(o, std::vector<int64_t>{total}, Type::Long);
  Tensor enter = empty_like_shape(o, {total}), leave = empty_like_shape(o, {total});
  with_scalar(o, [&](auto zero) {
    using T = decltype(zero);
    device.run(op, fill_cells<T>, rays, grid_of<T>(op, grid, shape), rays, total, read<T>(o), read<T>(d), read<T>(n),
               read<T>(f), read<int64_t>(at), write<int64_t>(cells), write<T>(enter), write<T>(leave));
  });
  return {cells, enter, leave};
}

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(scene3d, CUDA, m) {
  m.impl("voxel_walk_count", TORCH_BOX(&count));
  m.impl("voxel_walk_fill", TORCH_BOX(&fill));
}

}  // namespace scene3d
