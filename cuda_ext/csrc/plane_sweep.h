// One pixel of a view against one source at one depth; see scene3d/ops/plane_sweep.py.
#pragma once

#include "bilinear.h"

namespace scene3d {

// Where a source sees a pixel: the ray through it, and the shift between the cameras, in pixels of the source.
template <typename T>
struct Epipolar {
  T ray[3], shift[3];

  S3D_HD Epipolar(const T* pixel_to_source, const T* translation, T x, T y) {
    for (int i = 0; i < 3; ++i) {
      ray[i] = pixel_to_source[3 * i] * x + pixel_to_source[3 * i + 1] * y + pixel_to_source[3 * i + 2];
      shift[i] = translation[i];
    }
  }

  // Pixel at a depth; false where the point lies behind the source or beyond its border less a margin.
  S3D_HD bool at(T depth, int64_t height, int64_t width, T margin, T* u, T* v) const {
    const T away = ray[2] * depth + shift[2];
    if (!(away > T(1e-3))) return false;
    *u = (ray[0] * depth + shift[0]) / away;
    *v = (ray[1] * depth + shift[1]) / away;
    return *u >= margin && *u <= T(width) - margin && *v >= margin && *v <= T(height) - margin;
  }
};

// Sum over channels of |here - there|, or of here * there, with `there` sampled bilinearly from a channels-last map.
template <int CHANNELS, bool DOT, typename T, typename Stored>
S3D_HD T sweep_cost(const Stored* here, const Stored* map, const Corners<T>& corners, int64_t count) {
  const int64_t channels = CHANNELS ? CHANNELS : count;
  T w[4];
  corners.weights(w);
  const Stored* a = map + corners.cell[0] * channels;
  const Stored* b = map + corners.cell[1] * channels;
  const Stored* c = map + corners.cell[2] * channels;
  const Stored* d = map + corners.cell[3] * channels;
  T sum = 0;
#if !defined(__CUDACC__)
#pragma omp simd reduction(+ : sum)
#endif
  for (int64_t k = 0; k < channels; ++k) {
    const T there = w[0] * T(a[k]) + w[1] * T(b[k]) + w[2] * T(c[k]) + w[3] * T(d[k]);
    sum += DOT ? T(here[k]) * there : std::abs(T(here[k]) - there);
  }
  return sum;
}

}  // namespace scene3d
