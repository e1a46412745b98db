// A ray through a pixel-aligned field: its sections composited, and the gradient of that; see
// scene3d/ops/march_field.py.
#pragma once

#include "lanes.h"
#include "pixel_field.h"
#include "sample_views_composite.h"

namespace scene3d {

constexpr int MOST_HIDDEN = 512;  // on CUDA, where the lanes of a warp keep them in registers

template <typename T>
struct MarchRay {
  const T *origin, *direction, *distances;
  int64_t samples;
  bool capped;

  S3D_HD void point(int64_t s, T out[3]) const {
    for (int i = 0; i < 3; ++i) out[i] = origin[i] + direction[i] * distances[s];
  }

  S3D_HD T length(int64_t s) const { return s + 1 < samples ? distances[s + 1] - distances[s] : T(0); }

  S3D_HD T opacity(int64_t s, T density) const {
    return s + 1 < samples ? T(-std::expm1(-density * length(s))) : T(capped);
  }
};

// What a ray's gradient is made of.
template <typename T>
struct MarchGradients {
  const T *density, *weights;  // [samples]
  T unknown;
  const T* hidden;             // [hidden]
};

// From far to near: worth[s] (what a unit of weight of sample s is worth) becomes the gradient of its logit, and
// through[s] (the light that reaches it) its weight. See composite.h for the recurrence.
template <typename T>
S3D_HD void march_backward(const MarchRay<T>& ray, const T* grad_density, const T* logit, const bool* valid, T* worth,
                           T* through) {
  T behind = 0;
  for (int64_t s = ray.samples - 1; s >= 0; --s) {
    const T opacity = ray.opacity(s, softplus(logit[s])), rest = worth[s] - behind;
    const T to_density = grad_density[s] + through[s] * rest * ray.length(s) * (1 - opacity);
    worth[s] = valid[s] ? to_density * logistic(logit[s]) : T(0);
    through[s] *= opacity;
    behind += opacity * rest;
  }
}

// What one lane does of a sample: the channels lane, lane + lanes, ... of its hidden layer.
template <typename T, typename Lanes>
struct LaneSample {
  static constexpr int KEPT = (MOST_HIDDEN + Lanes::lanes - 1) / Lanes::lanes;
  Place<T> place;
  T corner[4], code[MOST_ENCODED], hidden[KEPT], logit;

  template <typename Stored>
  S3D_HD LaneSample(const PixelField<T, Stored>& field, const T* point, const Lanes& lanes) : place(field.place(point)) {
    place.corners.weights(corner);
    encode(place.position, field.encoded, code);
    T sum = 0;
    for (int64_t c = lanes.lane(), i = 0; c < field.hidden; c += Lanes::lanes, ++i) {
      hidden[i] = field.hidden_channel(place.corners, corner, code, c);
      sum += hidden[i] * field.to_density[c];
    }
    logit = lanes.sum(sum) + *field.bias;
  }
};

// Forward of a ray by the lanes of a warp. `sum` has hidden channels, `density` and `weights` a number a sample.
template <typename T, typename Stored, typename Lanes>
S3D_HD void march_ray(const PixelField<T, Stored>& field, const MarchRay<T>& ray, const Lanes& lanes, T* density,
                      T* weights, T* unknown, T* sum) {
  for (int64_t c = lanes.lane(); c < field.hidden; c += Lanes::lanes) sum[c] = 0;
  T through = 1, outside = 0;
  for (int64_t s = 0; s < ray.samples; ++s) {
    T point[3];
    ray.point(s, point);
    const LaneSample<T, Lanes> at(field, point, lanes);
    const T dense = softplus(at.logit), opacity = ray.opacity(s, dense), weight = through * opacity;
    through *= 1 - opacity;
    if (!at.place.valid) outside += weight;
    if (lanes.lane() == 0) {
      density[s] = dense;
      weights[s] = weight;
    }
    for (int64_t c = lanes.lane(), i = 0; c < field.hidden; c += Lanes::lanes, ++i) sum[c] += weight * at.hidden[i];
  }
  if (lanes.lane() == 0) *unknown = outside;
}

// Backward of a ray by the lanes of a warp. worth[s] comes in as the gradient of the weight of sample s but for the
// hidden layer's part and that of `unknown`; logit, valid, worth and through are scratch of a number a sample.
// give(sample, channel, hidden, gradient before ReLU) takes what is for the map and the first layer.
template <typename T, typename Stored, typename Lanes, typename Give>
S3D_HD void march_ray_backward(const PixelField<T, Stored>& field, const MarchRay<T>& ray, const MarchGradients<T>& grad,
                               const Lanes& lanes, T* logit, bool* valid, T* worth, T* through, const Give& give) {
  T light = 1;
  for (int64_t s = 0; s < ray.samples; ++s) {
    T point[3];
    ray.point(s, point);
    const LaneSample<T, Lanes> at(field, point, lanes);
    T along = 0;
    for (int64_t c = lanes.lane(), i = 0; c < field.hidden; c += Lanes::lanes, ++i) along += at.hidden[i] * grad.hidden[c];
    along = lanes.sum(along);
    if (lanes.lane() == 0) {
      logit[s] = at.logit;
      valid[s] = at.place.valid;
      worth[s] += along + (at.place.valid ? T(0) : grad.unknown);
      through[s] = light;
    }
    light *= 1 - ray.opacity(s, softplus(at.logit));
  }
  lanes.wait();
  if (lanes.lane() == 0) march_backward(ray, grad.density, logit, valid, worth, through);
  lanes.wait();
  for (int64_t s = 0; s < ray.samples; ++s) {
    T point[3];
    ray.point(s, point);
    const LaneSample<T, Lanes> at(field, point, lanes);
    for (int64_t c = lanes.lane(), i = 0; c < field.hidden; c += Lanes::lanes, ++i) {
      const T above = through[s] * grad.hidden[c] + worth[s] * field.to_density[c];
      give(at, c, worth[s], at.hidden[i], at.hidden[i] > 0 ? above : T(0));
    }
  }
}

}  // namespace scene3d
