// What both drivers of composite ask of their arguments.
#pragma once

#include <optional>
#include <tuple>

#include "check.h"
#include "composite.h"

namespace scene3d {

struct CompositeSizes {
  int64_t rays, samples, channels;
};

inline CompositeSizes composite_sizes(const char* op, const Tensor& opacity, const Tensor& features, const Tensor& distances,
                                      const Tensor& offsets, const std::optional<Tensor>& lengths) {
  check_floating(op, "opacity", opacity);
  check_shape(op, "opacity", opacity, {-1});
  const int64_t samples = opacity.size(0);
  check_shape(op, "features", features, {samples, -1});
  check_shape(op, "distances", distances, {samples});
  check_like(op, "features", features, opacity, "opacity");
  check_like(op, "distances", distances, opacity, "opacity");
  check_shape(op, "offsets", offsets, {-1});
  STD_TORCH_CHECK(offsets.scalar_type() == Type::Long, op, ": offsets: expected int64, got another dtype");
  STD_TORCH_CHECK(offsets.size(0) >= 1, op, ": offsets: expected one more than rays, got none");
  if (lengths) {
    check_shape(op, "lengths", *lengths, {samples});
    check_like(op, "lengths", *lengths, opacity, "opacity");
  }
  return {offsets.size(0) - 1, samples, features.size(1)};
}

inline void check_composite_gradients(const char* op, const CompositeSizes& size, const Tensor& like, const Tensor& features,
                                      const Tensor& distance, const Tensor& opacity, const Tensor& weights) {
  check_shape(op, "grad_features", features, {size.rays, size.channels});
  check_shape(op, "grad_distance", distance, {size.rays});
  check_shape(op, "grad_opacity", opacity, {size.rays});
  check_shape(op, "grad_weights", weights, {size.samples});
  for (const Tensor* grad : {&features, &distance, &opacity, &weights}) check_like(op, "gradients", *grad, like, "the samples");
}

// The offsets decide what memory is touched, so on the CPU they are looked at before it is.
inline void check_offsets(const char* op, const Tensor& offsets, int64_t rays, int64_t samples) {
  const int64_t* at = read<int64_t>(offsets);
  bool fits = at[0] == 0 && at[rays] == samples;
  for (int64_t ray = 0; fits && ray < rays; ++ray) fits = at[ray] <= at[ray + 1];
  STD_TORCH_CHECK(fits, op, ": offsets: expected to rise from 0 to ", samples, ", the number of samples, got others");
}

// Calls body with the number of channels as a compile-time constant where it is a common one, else with 0.
template <typename Body>
void with_channels(int64_t channels, const Body& body) {
  switch (channels) {
    case 1: return body(std::integral_constant<int, 1>{});
    case 3: return body(std::integral_constant<int, 3>{});
    case 4: return body(std::integral_constant<int, 4>{});
    case 8: return body(std::integral_constant<int, 8>{});
    case 16: return body(std::integral_constant<int, 16>{});
    case 32: return body(std::integral_constant<int, 32>{});
    case 64: return body(std::integral_constant<int, 64>{});
    default: return body(std::integral_constant<int, 0>{});
  }
}

}  // namespace scene3d
