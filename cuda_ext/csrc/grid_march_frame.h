// grid_march from tensors to results, the same on every device; a driver loops over rays.
#pragma once

#include <tuple>

#include "grid_march.h"
#include "ray_frame.h"

namespace scene3d {

inline void check_grid(const char* op, const Tensor& origins, const Tensor& occupancy, int64_t cells, const Doubles& cube,
                       const Stride& stride) {
  STD_TORCH_CHECK(cells > 0, op, ": cells: expected a positive number, got ", cells);
  check_shape(op, "occupancy", occupancy, {-1, (cells * cells * cells + 31) / 32});
  check_type(op, "occupancy", occupancy, Type::Int);
  check_device(op, {"occupancy", occupancy}, origins, "origins");
  STD_TORCH_CHECK(cube.size() == 4 && cube[3] > 0, op, ": size: expected a corner and a positive edge");
  STD_TORCH_CHECK(stride.step > 0, op, ": step: expected a positive number, got ", stride.step);
  STD_TORCH_CHECK(stride.cone >= 0, op, ": cone: expected 0 or more, got ", stride.cone);
}

template <typename T>
Cubes<T> cubes_of(Rows& rows, const Tensor& occupancy, int64_t cells, const Doubles& cube) {
  return {rows.of<int32_t>(occupancy), occupancy.size(0), occupancy.size(1), cells,
          {T(cube[0]), T(cube[1]), T(cube[2])}, T(cube[3])};
}

// Steps of a ray that lie in occupied cells.
template <typename T>
S3D_HD int64_t count_steps(const Cubes<T>& cubes, const Stride& stride, const Rays<T>& rays, int64_t ray) {
  int64_t kept = 0;
  march_ray(cubes, rays.origins + 3 * ray, rays.directions + 3 * ray, rays.near[ray], rays.far[ray], stride,
            [&](T, T) { return ++kept, true; });
  return kept;
}

template <typename T>
struct Steps {
  int64_t total;
  T *begin, *end;
};

template <typename T>
S3D_HD void write_steps(const Cubes<T>& cubes, const Stride& stride, const Rays<T>& rays, int64_t ray, const int64_t* offsets,
                        const Steps<T>& out) {
  Room room(offsets, ray, out.total);
  march_ray(cubes, rays.origins + 3 * ray, rays.directions + 3 * ray, rays.near[ray], rays.far[ray], stride, [&](T from, T to) {
    if (room.next >= room.last) return false;
    out.begin[room.next] = from;
    out.end[room.next++] = to;
    return true;
  });
}

template <typename Driver>
Tensor grid_march_count(const Tensor& origins, const Tensor& directions, const Tensor& near, const Tensor& far,
                        const Tensor& occupancy, int64_t cells, Doubles cube, double step, double cone) {
  const char* op = "grid_march_count";
  const Stride stride{step, cone};
  const int64_t count = check_rays(op, origins, directions, near, far);
  check_grid(op, origins, occupancy, cells, cube, stride);
  Tensor out = empty(origins, {count}, Type::Long);
  const Driver on(origins);
  with_scalar(origins, [&]<typename T>(T) {
    Rows rows;
    const Rays<T> rays{count, rows.of<T>(origins), rows.of<T>(directions), rows.of<T>(near), rows.of<T>(far)};
    on.count(cubes_of<T>(rows, occupancy, cells, cube), stride, rays, write<int64_t>(out));
  });
  return out;
}

template <typename Driver>
std::tuple<Tensor, Tensor> grid_march_fill(const Tensor& origins, const Tensor& directions, const Tensor& near,
                                           const Tensor& far, const Tensor& occupancy, int64_t cells, Doubles cube,
                                           double step, double cone, const Tensor& offsets, int64_t total) {
  const char* op = "grid_march_fill";
  const Stride stride{step, cone};
  const int64_t count = check_rays(op, origins, directions, near, far);
  check_grid(op, origins, occupancy, cells, cube, stride);
  check_room(op, offsets, count);
  Tensor begin = zeros(origins, {total}), end = zeros(origins, {total});
  const Driver on(origins);
  with_scalar(origins, [&]<typename T>(T) {
    Rows rows;
    const Rays<T> rays{count, rows.of<T>(origins), rows.of<T>(directions), rows.of<T>(near), rows.of<T>(far)};
    on.fill(cubes_of<T>(rows, occupancy, cells, cube), stride, rays, rows.of<int64_t>(offsets),
            Steps<T>{total, write<T>(begin), write<T>(end)});
  });
  return {begin, end};
}

}  // namespace scene3d
