// How the CUDA drivers launch: on torch's current stream, a thread or a warp an item, in a grid that never overflows.
#pragma once

#include <cuda_runtime.h>
#include <torch/csrc/inductor/aoti_torch/c/shim.h>
#include <torch/csrc/stable/accelerator.h>
#include <torch/headeronly/util/BFloat16.h>
#include <torch/headeronly/util/Half.h>

#include "check.h"
#include "portable.h"

namespace scene3d {

constexpr int THREADS = 256;
constexpr int WARP = 32;

// What drivers for CUDA begin with: torch's current stream of a tensor's device, which is made the current device for as
// long as this lives.
class OnDeviceOf {
 public:
  explicit OnDeviceOf(const Tensor& tensor) : like_(tensor), guard_(tensor.get_device_index()) {
    void* stream = nullptr;
    TORCH_ERROR_CODE_CHECK(aoti_torch_get_current_cuda_stream(tensor.get_device_index(), &stream));
    stream_ = static_cast<cudaStream_t>(stream);
  }

  // Nobody looks at offsets in the device's memory: see packed_ray.
  static void check_offsets(const char*, const int64_t*, int64_t, int64_t) {}

  // Calls body(zero, S{}) with the type that features are stored in: they are read as they lie.
  template <typename T, typename Body>
  static void with_stored(T zero, const Tensor& stored, const Body& body) {
    if constexpr (sizeof(T) == sizeof(float)) {
      if (stored.scalar_type() == Type::Half) return body(zero, torch::headeronly::Half{});
      if (stored.scalar_type() == Type::BFloat16) return body(zero, torch::headeronly::BFloat16{});
    }
    body(zero, zero);
  }

  // Memory for numbers that a kernel leaves for the next, or for itself.
  Tensor scratch(int64_t numbers) const { return empty(like_, {numbers}); }
  Tensor scratch(int64_t numbers, Type type) const { return empty(like_, {numbers}, type); }

  // Kernels stride over their items by the size of the grid, so any grid is right, and this one is large enough.
  template <typename Kernel, typename... Arguments>
  void run(const char* op, Kernel kernel, int64_t threads, Arguments... arguments) const {
    run_in(op, kernel, threads, 1 << 20, 0, arguments...);
  }

  // In at most so many blocks, each with so many bytes of shared memory: for blocks that add up what they did at their end.
  template <typename Kernel, typename... Arguments>
  void run_in(const char* op, Kernel kernel, int64_t threads, int64_t most, int64_t shared, Arguments... arguments) const {
    if (threads == 0) return;
    const int64_t blocks = (threads + THREADS - 1) / THREADS;
    kernel<<<static_cast<unsigned>(blocks < most ? blocks : most), THREADS, static_cast<size_t>(shared), stream_>>>(arguments...);
    const cudaError_t error = cudaGetLastError();
    STD_TORCH_CHECK(error == cudaSuccess, op, ": the kernel could not be launched: ", cudaGetErrorString(error));
  }

 private:
  const Tensor& like_;
  torch::stable::accelerator::DeviceGuard guard_;
  cudaStream_t stream_ = nullptr;
};

__device__ inline int64_t first_thread() { return blockIdx.x * int64_t(blockDim.x) + threadIdx.x; }
__device__ inline int64_t all_threads() { return gridDim.x * int64_t(blockDim.x); }

// Where a ray's samples lie. Offsets that do not fit must not be followed out of the arrays: nobody looked at them
// before, and what they say then is undefined, not harmful.
struct PackedRay {
  int64_t first, count;
};

__device__ inline PackedRay packed_ray(const int64_t* offsets, int64_t ray, int64_t samples) {
  const int64_t from = larger<int64_t>(0, smaller(offsets[ray], samples));
  return {from, larger(from, smaller(offsets[ray + 1], samples)) - from};
}

// One thread adds up in order, so that the sum repeats itself.
template <typename T>
__global__ void add_up(int64_t count, const double* parts, T* total) {
  if (first_thread() != 0) return;
  double sum = 0;
  for (int64_t i = 0; i < count; ++i) sum += parts[i];
  *total = T(sum);
}

// The 32 lanes of a warp that share a ray; see lanes.h.
struct WarpLanes {
  static constexpr int64_t lanes = WARP;
  __device__ __forceinline__ int64_t lane() const { return threadIdx.x % WARP; }
  __device__ __forceinline__ void wait() const { __syncwarp(); }
  template <typename T>
  __device__ __forceinline__ T sum(T value) const {
    for (int step = WARP / 2; step > 0; step /= 2) value += __shfl_xor_sync(0xffffffffu, value, step);
    return value;
  }
};

// Gradients of features, written by the lanes of a warp; see FeatureRows.
template <typename T>
struct FeatureLanes {
  T* to;
  const T* above;
  int64_t channels;

  __device__ void operator()(int64_t i, T weight) const {
    for (int64_t c = threadIdx.x % WARP; c < channels; c += WARP) to[i * channels + c] = weight * above[c];
  }
};

}  // namespace scene3d
