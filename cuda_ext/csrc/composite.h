// One ray's samples composited front to back, and the gradient of that; see scene3d/ops/composite.py.
//
// Each function is one lane's share of a ray (lanes.h).
#pragma once

#include "lanes.h"

namespace scene3d {

template <typename T, typename Stored = T>
struct Samples {
  const T* opacity;         // or density, where lengths are given
  const Stored* features;   // [samples, channels]
  const T* distances;
  const T* lengths;         // null where opacities are given
  int64_t count, channels;

  S3D_HD T alpha(int64_t i) const {
    return lengths ? T(-std::expm1(-opacity[i] * lengths[i])) : opacity[i];
  }
};

// One lane's channels of a row of numbers. CHANNELS > 0 fixes their number at compile time, and they are kept in
// registers, which nothing that is stored can alias; 0 leaves them in memory.
template <int CHANNELS, typename T, typename Lanes>
struct LaneRow {
  T kept[CHANNELS ? (CHANNELS + Lanes::lanes - 1) / Lanes::lanes : 1];
  T* memory;

  S3D_HD T& operator[](int64_t channel) { return CHANNELS ? kept[channel / Lanes::lanes] : memory[channel]; }
};

template <int CHANNELS, typename T, typename Stored, typename Lanes>
S3D_HD void composite_ray(const Samples<T, Stored>& in, const Lanes& lanes, T* seen, T* distance, T* total, T* weights) {
  const int64_t channels = CHANNELS ? CHANNELS : in.channels;
  LaneRow<CHANNELS, T, Lanes> sum{{}, seen};
  for (int64_t c = lanes.lane(); c < channels; c += Lanes::lanes) sum[c] = 0;
  T through = 1, along = 0, opacity = 0;
  for (int64_t i = 0; i < in.count; ++i) {
    const T alpha = in.alpha(i), weight = through * alpha;
    through *= 1 - alpha;
    along += weight * in.distances[i];
    opacity += weight;
    if (lanes.lane() == 0) weights[i] = weight;
    const Stored* feature = in.features + i * channels;
    for (int64_t c = lanes.lane(); c < channels; c += Lanes::lanes) sum[c] += weight * T(feature[c]);
  }
  if (CHANNELS)
    for (int64_t c = lanes.lane(); c < channels; c += Lanes::lanes) seen[c] = sum[c];
  if (lanes.lane() == 0) {
    *distance = along;
    *total = opacity;
  }
}

template <typename T>
struct RayGradients {
  const T* seen;  // [channels]
  T distance, total;
  const T* weights;  // [samples]
};

// g_i of the samples from, from + 1, ...; see below.
template <int CHANNELS, typename T, typename Stored, typename Lanes, typename Row>
S3D_HD void worth_of_samples(const Samples<T, Stored>& in, const RayGradients<T>& grad, Row& above, const Lanes& lanes,
                             int64_t from, int64_t some, T* worth) {
  const int64_t channels = CHANNELS ? CHANNELS : in.channels;
  if constexpr (CHANNELS > 0 && CHANNELS <= 4 && Lanes::lanes == 1) {
    for (int64_t k = 0; k < some; ++k) {
      const Stored* feature = in.features + (from + k) * CHANNELS;
      T sum = 0;
      for (int64_t c = 0; c < CHANNELS; ++c) sum += T(feature[c]) * above[c];
      worth[k] = sum + grad.distance * in.distances[from + k] + grad.total + grad.weights[from + k];
    }
    return;
  }
  for (int64_t k = 0; k < some; ++k) {
    T sum = 0;
    const Stored* feature = in.features + (from + k) * channels;
#if !defined(__CUDACC__)
#pragma omp simd reduction(+ : sum)
#endif
    for (int64_t c = lanes.lane(); c < channels; c += Lanes::lanes) sum += T(feature[c]) * above[c];
    worth[k] = lanes.sum(sum) + grad.distance * in.distances[from + k] + grad.total + grad.weights[from + k];
  }
}

// g_i = <dL/dseen, f_i> + dL/ddistance t_i + dL/dtotal + dL/dw_i; from far to near
// A_{i-1} = a_i g_i + (1 - a_i) A_i, and dL/da_i = T_i (g_i - A_i), dL/df_i = w_i dL/dseen.
// `to_feature(i, weight)` writes the gradient of the features of sample i: weight times dL/dseen.
template <int CHANNELS, typename T, typename Stored, typename Lanes, typename ToFeature>
S3D_HD void composite_ray_backward(const Samples<T, Stored>& in, const RayGradients<T>& grad, const Lanes& lanes,
                                   T* to_opacity, const ToFeature& to_feature, T* to_distances, T* to_lengths) {
  const int64_t channels = CHANNELS ? CHANNELS : in.channels;
  LaneRow<CHANNELS, T, Lanes> above{{}, const_cast<T*>(grad.seen)};
  if (CHANNELS)
    for (int64_t c = lanes.lane(); c < channels; c += Lanes::lanes) above[c] = grad.seen[c];
  T through = 1;
  // Every lane walks all samples; lane 0 keeps the transmittance where the gradient will stand.
  for (int64_t i = 0; i < in.count; ++i) {
    const T alpha = in.alpha(i), weight = through * alpha;
    if (lanes.lane() == 0) {
      to_opacity[i] = through;
      to_distances[i] = weight * grad.distance;
    }
    to_feature(i, weight);
    through *= 1 - alpha;
  }
  // What a unit of weight of each sample is worth comes first for some samples: on a single lane that makes vectors.
  constexpr int64_t TOGETHER = Lanes::lanes == 1 ? 32 : 1;
  T behind = 0;
  for (int64_t last = in.count; last > 0; last -= TOGETHER) {
    const int64_t from = last > TOGETHER ? last - TOGETHER : 0, some = last - from;
    T worth[TOGETHER];
    worth_of_samples<CHANNELS>(in, grad, above, lanes, from, some, worth);
    for (int64_t k = some - 1; k >= 0; --k) {
      const int64_t i = from + k;
      const T alpha = in.alpha(i), rest = worth[k] - behind;
      if (lanes.lane() == 0) {
        const T to_alpha = to_opacity[i] * rest;
        if (in.lengths) {
          const T slope = to_alpha * (1 - alpha);  // d alpha = (1 - alpha) (length d density + density d length)
          to_opacity[i] = slope * in.lengths[i];
          to_lengths[i] = slope * in.opacity[i];
        } else {
          to_opacity[i] = to_alpha;
        }
      }
      behind = behind * (1 - alpha) + alpha * worth[k];  // behind + alpha rest, but one step a sample from the last
    }
  }
}

}  // namespace scene3d
