// sample_views from tensors to results, the same on every device; a driver loops over positions.
#pragma once

#include "bilinear.h"
#include "check.h"

namespace scene3d {

struct ViewSizes {
  int64_t views, height, width, channels, positions;

  // The first cell of the map that a position lies in, counted over all maps.
  S3D_HD int64_t first_cell(int64_t position) const { return position / positions * height * width; }
};

// Positions of all views, one view after the other.
template <typename T>
struct Positions {
  ViewSizes size;
  const T* pixels;

  S3D_HD Corners<T> corners(int64_t i) const { return corners_at(pixels[2 * i], pixels[2 * i + 1], size.height, size.width); }
};

inline ViewSizes view_sizes(const char* op, const Tensor& maps, const Tensor& pixels) {
  check_floating(op, "pixels", pixels);
  check_shape(op, "maps", maps, {-1, -1, -1, -1});
  check_shape(op, "pixels", pixels, {maps.size(0), -1, 2});
  check_stored(op, {{"maps", maps}}, pixels, "pixels");
  STD_TORCH_CHECK(maps.size(1) > 0 && maps.size(2) > 0, op, ": maps: expected at least one pixel, got shape ",
                  shape_of(maps));
  return {maps.size(0), maps.size(1), maps.size(2), maps.size(3), pixels.size(1)};
}

inline void check_view_gradient(const char* op, const ViewSizes& s, const Tensor& grad, const Tensor& pixels) {
  check_shape(op, "grad", grad, {s.views, s.positions, s.channels});
  check_like(op, {{"grad", grad}}, pixels, "pixels");
}

template <typename Driver>
Tensor sample_views(const Tensor& maps, const Tensor& pixels) {
  const ViewSizes s = view_sizes("sample_views", maps, pixels);
  Tensor out = empty(pixels, {s.views, s.positions, s.channels});
  const Driver on(pixels);
  with_types<Driver>(pixels, maps, [&]<typename T, typename Stored>(T, Stored) {
    Rows rows;
    on.forward(Positions<T>{s, rows.of<T>(pixels)}, rows.of<Stored>(maps), write<T>(out));
  });
  return out;
}

template <typename Driver>
Tensor sample_views_map_backward(const Tensor& grad, const Tensor& maps, const Tensor& pixels) {
  const char* op = "sample_views_map_backward";
  const ViewSizes s = view_sizes(op, maps, pixels);
  check_view_gradient(op, s, grad, pixels);
  Tensor out = zeros(pixels, {s.views, s.height, s.width, s.channels});
  const Driver on(pixels);
  with_scalar(pixels, [&]<typename T>(T) {
    Rows rows;
    on.map_backward(Positions<T>{s, rows.of<T>(pixels)}, rows.of<T>(grad), write<T>(out));
  });
  return out;
}

template <typename Driver>
Tensor sample_views_pixel_backward(const Tensor& grad, const Tensor& maps, const Tensor& pixels) {
  const char* op = "sample_views_pixel_backward";
  const ViewSizes s = view_sizes(op, maps, pixels);
  check_view_gradient(op, s, grad, pixels);
  Tensor out = empty(pixels, {s.views, s.positions, 2});
  const Driver on(pixels);
  with_types<Driver>(pixels, maps, [&]<typename T, typename Stored>(T, Stored) {
    Rows rows;
    on.pixel_backward(Positions<T>{s, rows.of<T>(pixels)}, rows.of<T>(grad), rows.of<Stored>(maps), write<T>(out));
  });
  return out;
}

}  // namespace scene3d
