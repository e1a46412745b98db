// What lets one source be compiled for the host and for a GPU. No torch, no CUDA header.
#pragma once

#include <cmath>
#include <cstdint>

#if defined(__CUDACC__)
#define S3D_HD __host__ __device__ __forceinline__
#else
#define S3D_HD inline __attribute__((always_inline))
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

}  // namespace scene3d
