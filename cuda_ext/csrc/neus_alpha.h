// Opacity of one section of a ray through a signed distance field, and its gradient; see scene3d/ops/neus_alpha.py.
#pragma once

#include "portable.h"

namespace scene3d {

template <typename T>
struct Section {
  T entering, slope, half, before, after, raw;
  static constexpr double SLACK = 1e-5;

  S3D_HD Section(T sdf, T cosine, T length, T sharpness, T anneal) {
    const T both = T(0.5) - T(0.5) * cosine;
    entering = -(larger(both, T(0)) * (1 - anneal) + larger(-cosine, T(0)) * anneal);
    slope = (both > 0 ? T(0.5) * (1 - anneal) : T(0)) + (cosine < 0 ? anneal : T(0));
    half = entering * length / 2;
    before = logistic(sharpness * (sdf - half));
    after = logistic(sharpness * (sdf + half));
    raw = (before - after + T(SLACK)) / (before + T(SLACK));
  }

  S3D_HD T alpha() const { return smaller(larger(raw, T(0)), T(1)); }
};

template <typename T>
struct SectionGradient {
  T sdf, cosine, length, sharpness;

  S3D_HD SectionGradient(const Section<T>& s, T grad, T at, T along, T sharp) {
    const T through = grad / (s.before + T(Section<T>::SLACK)), inner = (s.raw > 0) & (s.raw < 1) ? through : T(0);
    const T p = inner * (1 - s.raw) * s.before * (1 - s.before), q = -inner * s.after * (1 - s.after);
    const T to_half = sharp * (q - p);
    sdf = sharp * (p + q);
    cosine = to_half * along / 2 * s.slope;
    length = to_half * s.entering / 2;
    sharpness = p * (at - s.half) + q * (at + s.half);
  }
};

}  // namespace scene3d
