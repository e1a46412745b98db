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
