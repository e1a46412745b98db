// A pixel-aligned field at a point: where it falls on the map, and the position that the network is told; see
// scene3d/ops/pixel_field.py.
#pragma once

#include "bilinear.h"

namespace scene3d {

constexpr int MOST_OCTAVES = 10;
constexpr int MOST_ENCODED = 3 * (1 + 2 * MOST_OCTAVES);

template <typename T>
S3D_HD T softplus(T x) {
  return x > T(20) ? x : std::log1p(std::exp(x));
}

// Where a point falls.
template <typename T>
struct Place {
  Corners<T> corners;
  T position[3];
  bool valid;
};

// One scene's map, and the network that reads it.
template <typename T, typename Stored = T>
struct PixelField {
  const Stored* map;       // [map_height, map_width, hidden]
  const T* K;              // [3, 3]
  const T* from_position;  // [encoded, hidden]
  const T* to_density;     // [hidden]
  const T* bias;
  int64_t map_height, map_width, hidden, encoded;
  T height, width, near, far;

  S3D_HD Place<T> place(const T* point) const {
    const T depth = point[2], in_front = depth < T(1e-3) ? T(1e-3) : depth;
    const T x = point[0] / in_front, y = point[1] / in_front, z = depth / in_front;
    const T u = K[0] * x + K[1] * y + K[2] * z, v = K[3] * x + K[4] * y + K[5] * z;
    Place<T> found;
    found.valid = depth > T(1e-3) && u >= 0 && v >= 0 && u <= width && v <= height;
    found.position[0] = clamped(2 * u / width - 1, T(-2), T(2));
    found.position[1] = clamped(2 * v / height - 1, T(-2), T(2));
    const T inverse = (1 / in_front - 1 / far) / (1 / near - 1 / far);
    found.position[2] = clamped(2 * inverse - 1, T(-2), T(2));
    found.corners = corners_at(u * (T(map_width) / width), v * (T(map_height) / height), map_height, map_width);
    return found;
  }

  // A channel of the hidden layer.
  S3D_HD T hidden_channel(const Corners<T>& corners, const T weights[4], const T* code, int64_t channel) const {
    T value = blend(corners, weights, map, hidden, channel);
    for (int64_t e = 0; e < encoded; ++e) value += code[e] * from_position[e * hidden + channel];
    return value < 0 ? T(0) : value;
  }
};

// The position, then its sines and cosines at 1.5, 3, 6, ... Each octave follows from the one before.
template <typename T>
S3D_HD void encode(const T position[3], int64_t encoded, T* out) {
  T sine[3], cosine[3];
  for (int i = 0; i < 3; ++i) {
    out[i] = position[i];
    sine[i] = std::sin(T(1.5) * position[i]);
    cosine[i] = std::cos(T(1.5) * position[i]);
  }
  for (int64_t e = 3; e < encoded; e += 6) {
    for (int i = 0; i < 3; ++i) {
      out[e + i] = sine[i];
      out[e + 3 + i] = cosine[i];
      const T twice = 2 * sine[i] * cosine[i];
      cosine[i] = 1 - 2 * sine[i] * sine[i];
      sine[i] = twice;
    }
  }
}

}  // namespace scene3d
