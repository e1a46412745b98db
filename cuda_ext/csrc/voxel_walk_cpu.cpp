// voxel_walk on the CPU: rays shared out over threads, counted first and written next.
#include <tuple>

#include "voxel_walk_checks.h"

namespace scene3d {
namespace {

constexpr int64_t RAYS_A_THREAD = 64;

Tensor count(const Tensor& origins, const Tensor& directions, const Tensor& near, const Tensor& far,
             std::vector<double> grid, std::vector<int64_t> shape) {
  const char* op = "voxel_walk_count";
  const int64_t rays = check_rays(op, origins, directions, near, far);
  const Tensor o = rows(origins), d = rows(directions), n = rows(near), f = rows(far);
  Tensor out = torch::stable::new_empty(o, std::vector<int64_t>{rays}, Type::Long);
  auto* counts = write<int64_t>(out);
  with_scalar(o, [&](auto zero) {
    using T = decltype(zero);
    const Grid<T> cells = grid_of<T>(op, grid, shape);
    torch::stable::parallel_for(0, rays, RAYS_A_THREAD, [&](int64_t begin, int64_t end) {
      for (int64_t ray = begin; ray < end; ++ray) {
        int64_t crossed = 0;
        walk_ray(cells, read<T>(o) + 3 * ray, read<T>(d) + 3 * ray, read<T>(n)[ray], read<T>(f)[ray],
                 [&](int64_t, T, T) { ++crossed; });
        counts[ray] = crossed;
      }
    });
  });
  return out;
}

std::tuple<Tensor, Tensor, Tensor> fill(const Tensor& origins, const Tensor& directions, const Tensor& near,
                                        const Tensor& far, std::vector<double> grid, std::vector<int64_t> shape,
                                        const Tensor& offsets, int64_t total) {
  const char* op = "voxel_walk_fill";
  const int64_t rays = check_rays(op, origins, directions, near, far);
  check_offsets_of(op, offsets, rays);
  const Tensor o = rows(origins), d = rows(directions), n = rows(near), f = rows(far), at = rows(offsets);
  Tensor cells = torch::stable::new_empty(o, std::vector<int64_t>{total}, Type::Long);
  Tensor enter = empty_like_shape(o, {total}), leave = empty_like_shape(o, {total});
  with_scalar(o, [&](auto zero) {
    using T = decltype(zero);
    const Grid<T> all = grid_of<T>(op, grid, shape);
    torch::stable::parallel_for(0, rays, RAYS_A_THREAD, [&](int64_t begin, int64_t end) {
      for (int64_t ray = begin; ray < end; ++ray) {
        const int64_t first = larger<int64_t>(read<int64_t>(at)[ray], 0), last = smaller(read<int64_t>(at)[ray + 1], total);
        WalkWriter<T> writer{write<int64_t>(cells), first, last,
                             write<T>(enter), write<T>(leave)};
        walk_ray(all, read<T>(o) + 3 * ray, read<T>(d) + 3 * ray, read<T>(n)[ray], read<T>(f)[ray],
                 [&](int64_t cell, T from, T to) { writer(cell, from, to); });
      }
    });
  });
  return {cells, enter, leave};
}

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(scene3d, CPU, m) {
  m.impl("voxel_walk_count", TORCH_BOX(&count));
  m.impl("voxel_walk_fill", TORCH_BOX(&fill));
}

}  // namespace scene3d
