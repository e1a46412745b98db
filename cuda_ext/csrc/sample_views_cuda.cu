// sample_views on CUDA: a thread a channel of a sample, so that neighbours read neighbouring channels.
#include "launch.cuh"
#include "sample_views_checks.h"

namespace scene3d {
namespace {

template <typename T>
__global__ void gather(ViewSizes s, const T* maps, const T* pixels, T* out) {
  const int64_t all = s.views * s.positions * s.channels;
  for (int64_t item = first_thread(); item < all; item += all_threads()) {
    const int64_t i = item / s.channels, c = item % s.channels, first = i / s.positions * s.height * s.width;
    const auto corners = corners_at(pixels[2 * i], pixels[2 * i + 1], s.height, s.width);
    T w[4], sum = 0;
    corners.weights(w);
    for (int k = 0; k < 4; ++k) sum += w[k] * maps[(first + corners.cell[k]) * s.channels + c];
    out[item] = sum;
  }
}

template <typename T>
__global__ void scatter(ViewSizes s, const T* grad, const T* pixels, T* to_maps) {
  const int64_t all = s.views * s.positions * s.channels;
  for (int64_t item = first_thread(); item < all; item += all_threads()) {
    const int64_t i = item / s.channels, c = item % s.channels, first = i / s.positions * s.height * s.width;
    const auto corners = corners_at(pixels[2 * i], pixels[2 * i + 1], s.height, s.width);
    T w[4];
    corners.weights(w);
    for (int k = 0; k < 4; ++k) atomicAdd(to_maps + (first + corners.cell[k]) * s.channels + c, w[k] * grad[item]);
  }
}

template <typename T>
__global__ void slopes(ViewSizes s, const T* grad, const T* maps, const T* pixels, T* to_pixels) {
  const WarpLanes lanes;
  const int64_t all = s.views * s.positions;
  for (int64_t i = first_thread() / WARP; i < all; i += all_threads() / WARP) {
    const int64_t first = i / s.positions * s.height * s.width;
    const auto corners = corners_at(pixels[2 * i], pixels[2 * i + 1], s.height, s.width);
    T along[4] = {0, 0, 0, 0};
    for (int64_t c = lanes.lane(); c < s.channels; c += WARP)
      for (int k = 0; k < 4; ++k) along[k] += maps[(first + corners.cell[k]) * s.channels + c] * grad[i * s.channels + c];
    for (int k = 0; k < 4; ++k) along[k] = lanes.sum(along[k]);
    if (lanes.lane() != 0) continue;
    const T right = (along[1] - along[0]) * (1 - corners.y) + (along[3] - along[2]) * corners.y;
    const T down = (along[2] - along[0]) * (1 - corners.x) + (along[3] - along[1]) * corners.x;
    to_pixels[2 * i] = corners.slope_x ? right : T(0);
    to_pixels[2 * i + 1] = corners.slope_y ? down : T(0);
  }
}

Tensor forward(const Tensor& maps, const Tensor& pixels) {
  const char* op = "sample_views";
  const ViewSizes s = view_sizes(op, maps, pixels);
  const OnDeviceOf device(maps);
  const Tensor map = rows(maps), place = rows(pixels);
  Tensor out = empty_like_shape(map, {s.views, s.positions, s.channels});
  with_scalar(map, [&](auto zero) {
    using T = decltype(zero);
    device.run(op, gather<T>, s.views * s.positions * s.channels, s, read<T>(map), read<T>(place), write<T>(out));
  });
  return out;
}

Tensor map_backward(const Tensor& grad, const Tensor& maps, const Tensor& pixels) {
  const char* op = "sample_views_map_backward";
  const ViewSizes s = view_sizes(op, maps, pixels);
  check_shape(op, "grad", grad, {s.views, s.positions, s.channels});
  check_like(op, "grad", grad, maps, "maps");
  const OnDeviceOf device(maps);
  const Tensor above = rows(grad), place = rows(pixels);
  Tensor out = torch::stable::new_zeros(maps, std::vector<int64_t>{s.views, s.height, s.width, s.channels});
  with_scalar(maps, [&](auto zero) {
    using T = decltype(zero);
    device.run(op, scatter<T>, s.views * s.positions * s.channels, s, read<T>(above), read<T>(place), write<T>(out));
  });
  return out;
}

Tensor pixel_backward(const Tensor& grad, const Tensor& maps, const Tensor& pixels) {
  const char* op = "sample_views_pixel_backward";
  const ViewSizes s = view_sizes(op, maps, pixels);
  check_shape(op, "grad", grad, {s.views, s.positions, s.channels});
  check_like(op, "grad", grad, maps, "maps");
  const OnDeviceOf device(maps);
  const Tensor map = rows(maps), above = rows(grad), place = rows(pixels);
  Tensor out = torch::stable::empty_like(place);
  with_scalar(map, [&](auto zero) {
    using T = decltype(zero);
    device.run(op, slopes<T>, s.views * s.positions * WARP, s, read<T>(above), read<T>(map), read<T>(place), write<T>(out));
  });
  return out;
}

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(scene3d, CUDA, m) {
  m.impl("sample_views", TORCH_BOX(&forward));
  m.impl("sample_views_map_backward", TORCH_BOX(&map_backward));
  m.impl("sample_views_pixel_backward", TORCH_BOX(&pixel_backward));
}

}  // namespace scene3d
