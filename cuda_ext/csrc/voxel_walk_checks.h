// What both drivers of voxel_walk ask of their arguments.
#pragma once

#include "check.h"
#include "voxel_walk.h"

namespace scene3d {

inline int64_t check_rays(const char* op, const Tensor& origins, const Tensor& directions, const Tensor& near,
                          const Tensor& far) {
  check_floating(op, "origins", origins);
  check_shape(op, "origins", origins, {-1, 3});
  const int64_t rays = origins.size(0);
  check_shape(op, "directions", directions, {rays, 3});
  check_shape(op, "near", near, {rays});
  check_shape(op, "far", far, {rays});
  for (const Tensor* tensor : {&directions, &near, &far}) check_like(op, "rays", *tensor, origins, "origins");
  return rays;
}

template <typename T>
Grid<T> grid_of(const char* op, const std::vector<double>& grid, const std::vector<int64_t>& shape) {
  STD_TORCH_CHECK(grid.size() == 4 && shape.size() == 3, op, ": grid: expected a corner, a size and a shape, got ",
                  grid.size(), " and ", shape.size(), " numbers");
  STD_TORCH_CHECK(grid[3] > 0, op, ": size: expected a positive number, got ", grid[3]);
  for (int64_t n : shape) STD_TORCH_CHECK(n > 0, op, ": shape: expected positive numbers, got ", n);
  return {{T(grid[0]), T(grid[1]), T(grid[2])}, T(grid[3]), {shape[0], shape[1], shape[2]}};
}

inline void check_offsets_of(const char* op, const Tensor& offsets, int64_t rays) {
  check_shape(op, "offsets", offsets, {rays + 1});
  STD_TORCH_CHECK(offsets.scalar_type() == Type::Long, op, ": offsets: expected int64, got another dtype");
}

// Writes the cells of one ray into its own part of the arrays, and never beyond it.
template <typename T>
struct WalkWriter {
  int64_t *cells, next, last;
  T *enter, *leave;

  S3D_HD void operator()(int64_t cell, T from, T to) {
    if (next >= last) return;
    cells[next] = cell;
    enter[next] = from;
    leave[next++] = to;
  }
};

}  // namespace scene3d
