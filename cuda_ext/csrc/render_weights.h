// Weights of the samples of one ray, and their gradient. Near to far; see scene3d/ops/render_weights.py.
#pragma once

#include "portable.h"

namespace scene3d {

// weight_i = T_i a_i with T_i = prod_{j < i} (1 - a_j).
template <typename T>
S3D_HD void weigh_ray(const T* opacity, int64_t samples, T* weights) {
  T through = 1;
  for (int64_t i = 0; i < samples; ++i) {
    weights[i] = through * opacity[i];
    through *= 1 - opacity[i];
  }
}

// dL/da_i = T_i (g_i - A_i), A_{i-1} = a_i g_i + (1 - a_i) A_i: exact at opacity 1, where dividing by 1 - a is not.
template <typename T>
S3D_HD void weigh_ray_backward(const T* grad, const T* opacity, int64_t samples, T* grad_opacity) {
  T through = 1;
  for (int64_t i = 0; i < samples; ++i) {
    grad_opacity[i] = through;
    through *= 1 - opacity[i];
  }
  T behind = 0;
  for (int64_t i = samples - 1; i >= 0; --i) {
    const T rest = grad[i] - behind;
    grad_opacity[i] *= rest;
    behind += opacity[i] * rest;
  }
}

}  // namespace scene3d
