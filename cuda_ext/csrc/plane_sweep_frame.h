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

template <typename T>
struct SweepArrays {
  SweepSizes size;
  const T *features, *sources, *pixel_to_source, *shift, *depths;
  T margin;

  S3D_HD const T* here(int64_t b, int64_t pixel) const { return features + (b * size.cells() + pixel) * size.channels; }

  // View v of scene b is view b views + v.
  S3D_HD const T* source(int64_t view) const { return sources + view * size.source_cells() * size.channels; }

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

struct SweepArguments {
  SweepSizes size;
  Tensor features, sources, pixel_to_source, shift, depths;
  double margin;

  SweepArguments(const char* op, const Tensor& features_, const Tensor& sources_, const Tensor& pixel_to_source_,
                 const Tensor& shift_, const Tensor& depths_, double margin_)
      : margin(margin_) {
    check_floating(op, "features", features_);
    check_shape(op, "features", features_, {-1, -1, -1, -1});
    const int64_t batch = features_.size(0), height = features_.size(1), width = features_.size(2);
    check_shape(op, "sources", sources_, {batch, -1, -1, -1, features_.size(3)});
    const int64_t views = sources_.size(1);
    STD_TORCH_CHECK(views <= 255, op, ": sources: expected at most 255 views, got ", views);
    STD_TORCH_CHECK(sources_.size(2) > 0 && sources_.size(3) > 0, op, ": sources: expected at least one pixel, got shape ",
                    shape_of(sources_));
    check_shape(op, "pixel_to_source", pixel_to_source_, {batch, views, 3, 3});
    check_shape(op, "shift", shift_, {batch, views, 3});
    const bool own = depths_.dim() == 4 && (depths_.size(2) != 1 || depths_.size(3) != 1 || (height == 1 && width == 1));
    check_shape(op, "depths", depths_, {batch, -1, own ? height : 1, own ? width : 1});
    check_like(op, {{"sources", sources_}, {"pixel_to_source", pixel_to_source_}, {"shift", shift_}, {"depths", depths_}},
               features_, "features");
    size = {batch, height, width, features_.size(3), views, sources_.size(2), sources_.size(3), depths_.size(1), own};
    features = rows(features_), sources = rows(sources_), pixel_to_source = rows(pixel_to_source_), shift = rows(shift_);
    depths = rows(depths_);
  }

  template <typename T>
  SweepArrays<T> pointers() const {
    return {size, read<T>(features), read<T>(sources), read<T>(pixel_to_source), read<T>(shift), read<T>(depths), T(margin)};
  }
};

// Calls body with whether features are multiplied, as a compile-time constant.
template <typename Body>
void with_norm(bool dot, const Body& body) {
  if (dot) body(std::true_type{}); else body(std::false_type{});
}

template <typename Driver>
std::tuple<Tensor, Tensor, Tensor, Tensor> plane_sweep(const Tensor& features, const Tensor& sources,
                                                       const Tensor& pixel_to_source, const Tensor& shift,
                                                       const Tensor& depths, bool dot, double margin) {
  const SweepArguments in("plane_sweep", features, sources, pixel_to_source, shift, depths, margin);
  const SweepSizes& s = in.size;
  const Sizes all{s.batch, s.hypotheses, s.height, s.width}, pixels{s.batch, s.height, s.width};
  Tensor cost = empty(shift, all), count = empty(shift, all, Type::Byte);
  Tensor lowest = empty(shift, pixels, Type::Long), confidence = empty(shift, pixels);
  const Driver on(shift);
  with_scalar(shift, [&](auto zero) {
    using T = decltype(zero);
    const Swept<T> out{write<T>(cost), write<uint8_t>(count), write<int64_t>(lowest), write<T>(confidence)};
    with_norm(dot, [&](auto product) { on.template forward<product()>(in.pointers<T>(), out); });
  });
  return {cost, count, lowest, confidence};
}

template <typename Driver>
std::tuple<Tensor, Tensor> plane_sweep_backward(const Tensor& grad, const Tensor& features, const Tensor& sources,
                                                const Tensor& pixel_to_source, const Tensor& shift, const Tensor& depths,
                                                bool dot, double margin) {
  const char* op = "plane_sweep_backward";
  const SweepArguments in(op, features, sources, pixel_to_source, shift, depths, margin);
  const SweepSizes& s = in.size;
  check_shape(op, "grad", grad, {s.batch, s.hypotheses, s.height, s.width});
  check_like(op, {{"grad", grad}}, shift, "shift");
  const Tensor above = rows(grad);
  Tensor to_features = zeros(shift, {s.batch, s.height, s.width, s.channels});
  Tensor to_sources = zeros(shift, {s.batch, s.views, s.source_height, s.source_width, s.channels});
  const Driver on(shift);
  with_scalar(shift, [&](auto zero) {
    using T = decltype(zero);
    with_norm(dot, [&](auto product) {
      on.template backward<product()>(in.pointers<T>(), read<T>(above), write<T>(to_features), write<T>(to_sources));
    });
  });
  return {to_features, to_sources};
}

}  // namespace scene3d
