// Opacity of one section of a ray through a signed distance field, and its gradient; see scene3d/ops/neus_alpha.py.
#pragma once

#include "portable.h"

namespace scene3d {

// The logistic function of sharpness times the signed distance, at both ends of a section: 1 / (1 + at) and 1 / (1 + to).
// Multiplied out, the opacity needs one division. Exponents beyond 30 change it by 1e-13 and no more, and their products
// fit into single precision.
template <typename T>
struct Section {
  static constexpr double SLACK = 1e-5;
  T entering, slope, half, at, to, product, quotient, raw;

  S3D_HD Section(T sdf, T cosine, T length, T sharpness, T anneal) {
    const T both = T(0.5) - T(0.5) * cosine;
    entering = -(larger(both, T(0)) * (1 - anneal) + larger(-cosine, T(0)) * anneal);
    slope = (both > 0 ? T(0.5) * (1 - anneal) : T(0)) + (cosine < 0 ? anneal : T(0));
    half = entering * length / 2;
    at = decay(sharpness * (sdf - half));
    to = decay(sharpness * (sdf + half));
    product = (1 + at) * (1 + to);
    quotient = 1 / ((1 + to) + T(SLACK) * product);
    raw = (to - at + T(SLACK) * product) * quotient;
  }

  S3D_HD static T decay(T x) { return bounded_exponential(clamped(-x, T(-30), T(30))); }

  S3D_HD T alpha() const { return clamped(raw, T(0), T(1)); }
};

template <typename T>
struct SectionGradient {
  T sdf, cosine, length, sharpness;

  S3D_HD SectionGradient(const Section<T>& s, T grad, T where, T along, T sharp) {
    const T whole = 1 / s.product, before = (1 + s.to) * whole, after = (1 + s.at) * whole;
    const T through = grad * s.product * s.quotient, inner = (s.raw > 0) & (s.raw < 1) ? through : T(0);
    const T p = inner * (1 - s.raw) * before * (1 - before), q = -inner * after * (1 - after);
    const T to_half = sharp * (q - p);
    sdf = sharp * (p + q);
    cosine = to_half * along / 2 * s.slope;
    length = to_half * s.entering / 2;
    sharpness = p * (where - s.half) + q * (where + s.half);
  }
};

}  // namespace scene3d
