// What lets one source be compiled for the host and for a GPU. No torch, no CUDA header.
//
// In this folder T is the type that is computed in, and Stored that of features, which may have half its size.
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

// A step a time and no `? :` within another: so compilers make two vector instructions of each. NaN stays NaN.
template <typename T>
S3D_HD T clamped(T value, T low, T high) {
  value = value < low ? low : value;
  value = value > high ? high : value;
  return value;
}

#if defined(__CUDACC__)
template <typename T>
S3D_HD T bounded_exponential(T x) {
  return std::exp(x);
}
#else
inline double bounded_exponential(double x) { return std::exp(x); }

// For |x| < 87, to 2e-7 of its value, without a branch or a call, so that loops of it become vectors. NaN stays NaN.
// Range reduction after Cody and Waite.
inline __attribute__((always_inline)) float bounded_exponential(float x) {
  const float shifted = x * 1.44269504f + 12582912.0f;  // 1.5 x 2^23: the integer part ends up in the last bits
  const float whole = shifted - 12582912.0f;
  const float r = (x - whole * 0.693359375f) + whole * 2.12194440e-4f;
  float y = 1.0f / 720;
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

// Beyond exponents of 87 it differs from the limits by less than the smallest normal number.
template <typename T>
S3D_HD T logistic(T x) {
  return T(1) / (T(1) + bounded_exponential(clamped(-x, T(-87), T(87))));
}

}  // namespace scene3d
