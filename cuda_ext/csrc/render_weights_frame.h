// render_weights from tensors to results, the same on every device; a driver loops over rays.
#pragma once

#include "check.h"
#include "render_weights.h"

namespace scene3d {

// Rays and samples of an array whose last axis holds samples.
inline Sizes weighed_sizes(const char* op, const Tensor& opacity) {
  check_floating(op, "opacity", opacity);
  STD_TORCH_CHECK(opacity.dim() >= 1, op, ": opacity: expected samples along the last axis, got a scalar");
  Sizes sizes{1, opacity.size(opacity.dim() - 1)};
  for (int64_t i = 0; i + 1 < opacity.dim(); ++i) sizes[0] *= opacity.size(i);
  return sizes;
}

template <typename Driver>
Tensor render_weights(const Tensor& opacity) {
  const Sizes sizes = weighed_sizes("render_weights", opacity);
  const Tensor in = rows(opacity);
  Tensor out = torch::stable::empty_like(in);
  const Driver on(opacity);
  with_scalar(in, [&]<typename T>(T) {
    on.forward(sizes[0], sizes[1], read<T>(in), write<T>(out));
  });
  return out;
}

template <typename Driver>
Tensor render_weights_backward(const Tensor& grad, const Tensor& opacity) {
  const char* op = "render_weights_backward";
  const Sizes sizes = weighed_sizes(op, opacity);
  check_like(op, {{"grad", grad}}, opacity, "opacity");
  const Tensor in = rows(opacity), above = rows(grad);
  Tensor out = torch::stable::empty_like(in);
  const Driver on(opacity);
  with_scalar(in, [&]<typename T>(T) {
    on.backward(sizes[0], sizes[1], read<T>(above), read<T>(in), write<T>(out));
  });
  return out;
}

}  // namespace scene3d
