// What both drivers of segment_scan and sample_pdf ask of their arguments.
#pragma once

#include "check.h"
#include "segments.h"

namespace scene3d {

inline int64_t check_segments(const char* op, const Tensor& values, const Tensor& offsets) {
  check_floating(op, "values", values);
  check_shape(op, "values", values, {-1});
  check_shape(op, "offsets", offsets, {-1});
  STD_TORCH_CHECK(offsets.scalar_type() == Type::Long, op, ": offsets: expected int64, got another dtype");
  STD_TORCH_CHECK(offsets.size(0) >= 1, op, ": offsets: expected one more than rays, got none");
  return offsets.size(0) - 1;
}

inline void check_histograms(const char* op, const Tensor& edges, const Tensor& weights, const Tensor& positions) {
  check_floating(op, "weights", weights);
  check_shape(op, "weights", weights, {-1, -1});
  STD_TORCH_CHECK(weights.size(1) > 0, op, ": weights: expected at least one bin, got shape ", shape_of(weights));
  check_shape(op, "edges", edges, {weights.size(0), weights.size(1) + 1});
  check_shape(op, "positions", positions, {weights.size(0), -1});
  check_like(op, "edges", edges, weights, "weights");
  check_like(op, "positions", positions, weights, "weights");
}

}  // namespace scene3d
