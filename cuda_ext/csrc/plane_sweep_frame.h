// plane_sweep from tensors to results, the same on every device; a driver loops over pixels and hypotheses.
#pragma once

#include <tuple>

#include "check.h"
#include "plane_sweep.h"

namespace scene3d {

struct SweepSizes {
  int64_t batch, height, width, channels, views, source_height, source_width, hypotheses;
  bool own_depths;  // each pixel has its own hypotheses

  S3D_HD int64_t cells() const { return height * width; }
  S3D_HD int64_t source_cells() const { return source_height * source_width; }
};

template <typename T, typename Stored = T>
struct SweepArrays {
  SweepSizes size;
  const Stored *features, *sources;
  const T *pixel_to_source, *shift, *depths;
  T margin;

  S3D_HD const Stored* here(int64_t b, int64_t pixel) const { return features + (b * size.cells() + pixel) * size.channels; }

  // View v of scene b is view b views + v.
  S3D_HD const Stored* source(int64_t view) const { return sources + view * size.source_cells() * size.channels; }

  S3D_HD Epipolar<T> line(int64_t view, int64_t pixel) const {
    return {pixel_to_source + view * 9, shift + view * 3, T(pixel % size.width) + T(0.5), T(pixel / size.width) + T(0.5)};
  }

  S3D_HD T depth(int64_t b, int64_t d, int64_t pixel) const {
    const int64_t plane = b * size.hypotheses + d;
    return size.own_depths ? depths[plane * size.cells() + pixel] : depths[plane];
  }

  // Where a source sees the pixel at a depth; false where it does not.
  S3D_HD bool place(const Epipolar<T>& line, T depth, T* u, T* v) const {
    return line.at(depth, size.source_height, size.source_width, margin, u, v);
  }

  S3D_HD Corners<T> corners(T u, T v) const { return corners_at(u, v, size.source_height, size.source_width); }
};

template <typename T>
struct Swept {
  T* cost;
  uint8_t* count;
  int64_t* lowest;
  T* confidence;
};

inline SweepSizes sweep_sizes(const char* op, const Tensor& features, const Tensor& sources, const Tensor& pixel_to_source,
                              const Tensor& shift, const Tensor& depths) {
  check_floating(op, "shift", shift);
  check_shape(op, "features", features, {-1, -1, -1, -1});
  const int64_t batch = features.size(0), height = features.size(1), width = features.size(2);
  check_shape(op, "sources", sources, {batch, -1, -1, -1, features.size(3)});
  const int64_t views = sources.size(1);
  STD_TORCH_CHECK(views <= 255, op, ": sources: expected at most 255 views, got ", views);
  STD_TORCH_CHECK(sources.size(2) > 0 && sources.size(3) > 0, op, ": sources: expected at least one pixel, got shape ",
                  shape_of(sources));
  check_shape(op, "pixel_to_source", pixel_to_source, {batch, views, 3, 3});
  check_shape(op, "shift", shift, {batch, views, 3});
  const bool own = depths.dim() == 4 && (depths.size(2) != 1 || depths.size(3) != 1 || (height == 1 && width == 1));
  check_shape(op, "depths", depths, {batch, -1, own ? height : 1, own ? width : 1});
  check_stored(op, {{"features", features}, {"sources", sources}}, shift, "shift");
  check_like(op, {{"pixel_to_source", pixel_to_source}, {"depths", depths}}, shift, "shift");
  return {batch, height, width, features.size(3), views, sources.size(2), sources.size(3), depths.size(1), own};
}

// Decides what features are read in: what both are stored in, or else what is computed in, to which they are raised.
inline const Tensor& stored_as(const Tensor& features, const Tensor& sources, const Tensor& computed) {
  return features.scalar_type() == sources.scalar_type() ? features : computed;
}

// Calls body with whether features are multiplied, as a compile-time constant.
template <typename Body>
void with_norm(bool dot, const Body& body) {
  if (dot) body(std::true_type{}); else body(std::false_type{});
}

template <typename Driver>
std::tuple<Tensor, Tensor, Tensor, Tensor> plane_sweep(const Tensor& features, const Tensor& sources,
                                                       const Tensor& pixel_to_source, const Tensor& shift,
                                                       const Tensor& depths, bool dot, double margin) {
  const SweepSizes s = sweep_sizes("plane_sweep", features, sources, pixel_to_source, shift, depths);
  const Sizes all{s.batch, s.hypotheses, s.height, s.width}, pixels{s.batch, s.height, s.width};
  Tensor cost = empty(shift, all), count = empty(shift, all, Type::Byte);
  Tensor lowest = empty(shift, pixels, Type::Long), confidence = empty(shift, pixels);
  const Driver on(shift);
  with_types<Driver>(shift, stored_as(features, sources, shift), [&]<typename T, typename Stored>(T, Stored) {
    Rows rows;
    const SweepArrays<T, Stored> in{s, rows.of<Stored>(features), rows.of<Stored>(sources), rows.of<T>(pixel_to_source),
                                    rows.of<T>(shift), rows.of<T>(depths), T(margin)};
    const Swept<T> out{write<T>(cost), write<uint8_t>(count), write<int64_t>(lowest), write<T>(confidence)};
    with_norm(dot, [&](auto product) { on.template forward<product()>(in, out); });
  });
  return {cost, count, lowest, confidence};
}

template <typename Driver>
std::tuple<Tensor, Tensor> plane_sweep_backward(const Tensor& grad, const Tensor& features, const Tensor& sources,
                                                const Tensor& pixel_to_source, const Tensor& shift, const Tensor& depths,
                                                bool dot, double margin) {
  const char* op = "plane_sweep_backward";
  const SweepSizes s = sweep_sizes(op, features, sources, pixel_to_source, shift, depths);
  check_shape(op, "grad", grad, {s.batch, s.hypotheses, s.height, s.width});
  check_like(op, {{"grad", grad}}, shift, "shift");
  Tensor to_features = zeros(shift, {s.batch, s.height, s.width, s.channels});
  Tensor to_sources = zeros(shift, {s.batch, s.views, s.source_height, s.source_width, s.channels});
  const Driver on(shift);
  with_types<Driver>(shift, stored_as(features, sources, shift), [&]<typename T, typename Stored>(T, Stored) {
    Rows rows;
    const SweepArrays<T, Stored> in{s, rows.of<Stored>(features), rows.of<Stored>(sources), rows.of<T>(pixel_to_source),
                                    rows.of<T>(shift), rows.of<T>(depths), T(margin)};
    with_norm(dot, [&](auto product) {
      on.template backward<product()>(in, rows.of<T>(grad), write<T>(to_features), write<T>(to_sources));
    });
  });
  return {to_features, to_sources};
}

}  // namespace scene3d
