// What lets one source be compiled for the host and for a GPU. No torch, no CUDA header.
#pragma once

#include <cmath>
#include <cstdint>

#if defined(__CUDACC__)
#define S3D_HD __host__ __device__ __forceinline__
#define S3D_UNROLL _Pragma("unroll")
#else
#define S3D_HD inline __attribute__((always_inline))
#define S3D_UNROLL _Pragma("GCC unroll 8")
#endif

namespace scene3d {

template <typename T>
S3D_HD T smaller(T a, T b) {
  return a < b ? a : b;
}

template <typename T>
S3D_HD T larger(T a, T b) {
  return a < b ? b : a;
}

#if defined(__CUDACC__)
template <typename T>
S3D_HD T exponential(T x) {
  return std::exp(x);
}
#else
inline double exponential(double x) { return std::exp(x); }

// To 2e-7 of its value, without a branch or a call, so that loops of it become vectors. What would be smaller than the
// smallest float or larger than the largest is that; NaN stays NaN. Range reduction and polynomial: Cody and Waite.
inline __attribute__((always_inline)) float exponential(float x) {
  const float held = x < -87.3f ? -87.3f : x > 88.3f ? 88.3f : x;
  const float shifted = held * 1.44269504f + 12582912.0f;  // 1.5 x 2^23: the integer part ends up in the last bits
  const float whole = shifted - 12582912.0f;
  const float r = (held - whole * 0.693359375f) + whole * 2.12194440e-4f;
  float y = 1.0f / 5040;
  y = y * r + 1.0f / 720;
  y = y * r + 1.0f / 120;
  y = y * r + 1.0f / 24;
  y = y * r + 1.0f / 6;
  y = y * r + 0.5f;
  y = y * r + 1.0f;
  y = y * r + 1.0f;
  uint32_t bits;
  __builtin_memcpy(&bits, &shifted, sizeof bits);
  bits = (bits - 0x4B400000u + 127u) << 23;
  float scale;
  __builtin_memcpy(&scale, &bits, sizeof scale);
  return y * scale;
}
#endif

template <typename T>
S3D_HD T logistic(T x) {
  return T(1) / (T(1) + exponential(-x));
}

}  // namespace scene3d
