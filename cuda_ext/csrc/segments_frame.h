// segment_scan and sample_pdf from tensors to results, the same on every device; a driver loops over rays.
#pragma once

#include "check.h"
#include "segments.h"

namespace scene3d {

template <typename Driver>
Tensor segment_scan(const Tensor& values, const Tensor& offsets, bool exclusive, bool reverse) {
  const char* op = "segment_scan";
  check_floating(op, "values", values);
  check_shape(op, "values", values, {-1});
  const int64_t rays = check_edges(op, offsets), samples = values.size(0);
  const Tensor v = rows(values), o = rows(offsets);
  const Driver on(values);
  on.check_offsets(op, o, rays, samples);
  Tensor out = torch::stable::empty_like(v);
  with_scalar(v, [&](auto zero) {
    using T = decltype(zero);
    on.scan(rays, samples, read<T>(v), read<int64_t>(o), exclusive, reverse, write<T>(out));
  });
  return out;
}

struct HistogramSizes {
  int64_t rays, bins, positions;
};

template <typename Driver>
Tensor sample_pdf(const Tensor& edges, const Tensor& weights, const Tensor& positions) {
  const char* op = "sample_pdf";
  check_floating(op, "weights", weights);
  check_shape(op, "weights", weights, {-1, -1});
  STD_TORCH_CHECK(weights.size(1) > 0, op, ": weights: expected at least one bin, got shape ", shape_of(weights));
  check_shape(op, "edges", edges, {weights.size(0), weights.size(1) + 1});
  check_shape(op, "positions", positions, {weights.size(0), -1});
  check_like(op, {{"edges", edges}, {"positions", positions}}, weights, "weights");
  const Tensor e = rows(edges), w = rows(weights), p = rows(positions);
  Tensor out = torch::stable::empty_like(p);
  const Driver on(weights);
  with_scalar(w, [&](auto zero) {
    using T = decltype(zero);
    on.sample(HistogramSizes{w.size(0), w.size(1), p.size(1)}, read<T>(e), read<T>(w), read<T>(p), write<T>(out));
  });
  return out;
}

// One ray of many.
template <typename T>
S3D_HD void sample_ray_of(const HistogramSizes& s, int64_t ray, const T* edges, const T* weights, const T* positions, T* out) {
  sample_ray(edges + ray * (s.bins + 1), weights + ray * s.bins, s.bins, positions + ray * s.positions, s.positions,
             out + ray * s.positions);
}

}  // namespace scene3d
