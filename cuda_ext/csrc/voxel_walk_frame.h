// voxel_walk from tensors to results, the same on every device; a driver loops over rays.
#pragma once

#include <tuple>

#include "ray_frame.h"
#include "voxel_walk.h"

namespace scene3d {

template <typename T>
Grid<T> grid_of(const char* op, const Doubles& grid, const Sizes& shape) {
  STD_TORCH_CHECK(grid.size() == 4 && shape.size() == 3, op, ": grid: expected a corner, a size and a shape, got ",
                  grid.size(), " and ", shape.size(), " numbers");
  STD_TORCH_CHECK(grid[3] > 0, op, ": size: expected a positive number, got ", grid[3]);
  for (int64_t n : shape) STD_TORCH_CHECK(n > 0, op, ": shape: expected positive numbers, got ", n);
  return {{T(grid[0]), T(grid[1]), T(grid[2])}, T(grid[3]), {shape[0], shape[1], shape[2]}};
}

// Cells that a ray crosses.
template <typename T>
S3D_HD int64_t count_cells(const Grid<T>& grid, const Rays<T>& rays, int64_t ray) {
  int64_t crossed = 0;
  walk_ray(grid, rays.origins + 3 * ray, rays.directions + 3 * ray, rays.near[ray], rays.far[ray],
           [&](int64_t, T, T) { ++crossed; });
  return crossed;
}

template <typename T>
struct Walked {
  int64_t total;
  int64_t* cells;
  T *enter, *leave;
};

template <typename T>
S3D_HD void write_cells(const Grid<T>& grid, const Rays<T>& rays, int64_t ray, const int64_t* offsets, const Walked<T>& out) {
  Room room(offsets, ray, out.total);
  walk_ray(grid, rays.origins + 3 * ray, rays.directions + 3 * ray, rays.near[ray], rays.far[ray],
           [&](int64_t cell, T from, T to) {
             if (room.next >= room.last) return;
             out.cells[room.next] = cell;
             out.enter[room.next] = from;
             out.leave[room.next++] = to;
           });
}

template <typename Driver>
Tensor voxel_walk_count(const Tensor& origins, const Tensor& directions, const Tensor& near, const Tensor& far, Doubles grid,
                        Sizes shape) {
  const char* op = "voxel_walk_count";
  const int64_t count = check_rays(op, origins, directions, near, far);
  Tensor out = empty(origins, {count}, Type::Long);
  const Driver on(origins);
  with_scalar(origins, [&]<typename T>(T) {
    Rows rows;
    const Rays<T> rays{count, rows.of<T>(origins), rows.of<T>(directions), rows.of<T>(near), rows.of<T>(far)};
    on.count(grid_of<T>(op, grid, shape), rays, write<int64_t>(out));
  });
  return out;
}

template <typename Driver>
std::tuple<Tensor, Tensor, Tensor> voxel_walk_fill(const Tensor& origins, const Tensor& directions, const Tensor& near,
                                                   const Tensor& far, Doubles grid, Sizes shape, const Tensor& offsets,
                                                   int64_t total) {
  const char* op = "voxel_walk_fill";
  const int64_t count = check_rays(op, origins, directions, near, far);
  check_room(op, offsets, count);
  Tensor cells = empty(origins, {total}, Type::Long), enter = empty(origins, {total}), leave = empty(origins, {total});
  const Driver on(origins);
  with_scalar(origins, [&]<typename T>(T) {
    Rows rows;
    const Rays<T> rays{count, rows.of<T>(origins), rows.of<T>(directions), rows.of<T>(near), rows.of<T>(far)};
    on.fill(grid_of<T>(op, grid, shape), rays, rows.of<int64_t>(offsets),
            Walked<T>{total, write<int64_t>(cells), write<T>(enter), write<T>(leave)});
  });
  return {cells, enter, leave};
}

}  // namespace scene3d
