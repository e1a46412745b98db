// One ray in one view: its samples projected, fetched and weighted; see scene3d/ops/sample_views_composite.py.
#pragma once

#include "bilinear.h"

namespace scene3d {

template <typename T, typename Stored = T>
struct View {
  const Stored* map;      // [height, width, channels]
  const T* to_pixels;     // [3, 4]
  const bool* valid;      // [height, width], or null
  int64_t height, width;

  // Corners of the sample in the map, and whether the view sees it.
  S3D_HD Corners<T> look(const T* point, bool* seen) const {
    T at[3];
    for (int i = 0; i < 3; ++i) {
      const T* row = to_pixels + 4 * i;
      at[i] = row[0] * point[0] + row[1] * point[1] + row[2] * point[2] + row[3];
    }
    const T away = at[2] < T(1e-3) ? T(1e-3) : at[2];  // NaN stays NaN, and is not seen
    const T u = at[0] / away, v = at[1] / away;
    const Corners<T> corners = corners_at(u, v, height, width);
    *seen = at[2] > T(1e-3) && u >= 0 && u <= T(width) && v >= 0 && v <= T(height);
    if (valid)
      for (int k = 0; k < 4; ++k) *seen = *seen && valid[corners.cell[k]];
    return corners;
  }
};

template <int CHANNELS, typename T, typename Stored>
S3D_HD void look_along_ray(const View<T, Stored>& view, const T* points, const T* weights, int64_t samples, int64_t count, T* sum,
                           T* share) {
  const int64_t channels = CHANNELS ? CHANNELS : count;
  T kept[CHANNELS ? CHANNELS : 1];  // in registers, where nothing aliases it
  T* added = CHANNELS ? kept : sum;
  for (int64_t c = 0; c < channels; ++c) added[c] = 0;
  T total = 0;
  for (int64_t s = 0; s < samples; ++s) {
    bool seen;
    const Corners<T> corners = view.look(points + 3 * s, &seen);
    T w[4];
    corners.weights(w);
    for (int k = 0; k < 4; ++k) w[k] *= weights[s];
    const Stored* a = view.map + corners.cell[0] * channels;
    const Stored* b = view.map + corners.cell[1] * channels;
    const Stored* d = view.map + corners.cell[2] * channels;
    const Stored* e = view.map + corners.cell[3] * channels;
    for (int64_t c = 0; c < channels; ++c)
      added[c] += w[0] * T(a[c]) + w[1] * T(b[c]) + w[2] * T(d[c]) + w[3] * T(e[c]);
    if (seen) total += weights[s];
  }
  if (CHANNELS)
    for (int64_t c = 0; c < channels; ++c) sum[c] = kept[c];
  *share = total;
}

// Adds one view's part of the gradient of the weights.
template <int CHANNELS, typename T, typename Stored>
S3D_HD void look_along_ray_backward(const View<T, Stored>& view, const T* points, int64_t samples, int64_t count, const T* grad,
                                    T grad_share, T* to_weights) {
  const int64_t channels = CHANNELS ? CHANNELS : count;
  for (int64_t s = 0; s < samples; ++s) {
    bool seen;
    const Corners<T> corners = view.look(points + 3 * s, &seen);
    T w[4];
    corners.weights(w);
    const Stored* a = view.map + corners.cell[0] * channels;
    const Stored* b = view.map + corners.cell[1] * channels;
    const Stored* d = view.map + corners.cell[2] * channels;
    const Stored* e = view.map + corners.cell[3] * channels;
    T worth = seen ? grad_share : T(0);
#if !defined(__CUDACC__)
#pragma omp simd reduction(+ : worth)
#endif
    for (int64_t c = 0; c < channels; ++c)
      worth += grad[c] * (w[0] * T(a[c]) + w[1] * T(b[c]) + w[2] * T(d[c]) + w[3] * T(e[c]));
    to_weights[s] += worth;
  }
}

}  // namespace scene3d
