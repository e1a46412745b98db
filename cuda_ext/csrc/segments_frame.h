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
  const int64_t count = check_edges(op, offsets), samples = values.size(0);
  Tensor out = empty(values, {samples});
  const Driver on(values);
  with_scalar(values, [&]<typename T>(T) {
    Rows rows;
    const int64_t* at = rows.of<int64_t>(offsets);
    on.check_offsets(op, at, count, samples);
    on.scan(count, samples, rows.of<T>(values), at, exclusive, reverse, write<T>(out));
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
  const HistogramSizes s{weights.size(0), weights.size(1), positions.size(1)};
  Tensor out = empty(positions, {s.rays, s.positions});
  const Driver on(weights);
  with_scalar(weights, [&]<typename T>(T) {
    Rows rows;
    on.sample(s, rows.of<T>(edges), rows.of<T>(weights), rows.of<T>(positions), write<T>(out));
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
