// The network of a pixel-aligned field on CUDA: laid out for warps, and its gradient added up block by block.
#pragma once

#include "launch.cuh"
#include "march_field.h"
#include "pixel_field_frame.h"

namespace scene3d {

// Where the points of a block add what they have for the network: in shared memory where it fits, else in the result.
template <typename T>
struct NetworkSums {
  T *from_position, *to_density, *bias;  // [encoded, hidden], [hidden], [1]
  const FieldSizes* size;

  __device__ void add(const T* code, int64_t channel, T to_logit, T hidden, T above) const {
    for (int64_t e = 0; e < size->encoded; ++e) atomicAdd(from_position + e * size->hidden + channel, code[e] * above);
    atomicAdd(to_density + channel, to_logit * hidden);
    if (channel == 0) atomicAdd(bias, to_logit);
  }
};

constexpr int64_t SHARED_BYTES = 48 * 1024;
constexpr int64_t MOST_SUMMING_BLOCKS = 1024;  // some for each multiprocessor; each adds its sums once

S3D_HD int64_t network_numbers(const FieldSizes& s) { return (s.encoded + 1) * s.hidden + 1; }

template <typename T>
int64_t shared_bytes(const FieldSizes& s) {
  const int64_t bytes = network_numbers(s) * int64_t(sizeof(T));
  return bytes <= SHARED_BYTES ? bytes : 0;
}

// Runs body(sums) with sums that are zero before and in `total` after.
template <typename T, typename Body>
__device__ void with_network_sums(const FieldSizes& s, bool shared, T* total, const Body& body) {
  extern __shared__ __align__(16) unsigned char memory[];
  T* here = shared ? reinterpret_cast<T*>(memory) : total;
  const int64_t numbers = network_numbers(s);
  if (shared)
    for (int64_t i = threadIdx.x; i < numbers; i += blockDim.x) here[i] = 0;
  __syncthreads();
  body(NetworkSums<T>{here, here + s.encoded * s.hidden, here + (s.encoded + 1) * s.hidden, &s});
  __syncthreads();
  if (shared)
    for (int64_t i = threadIdx.x; i < numbers; i += blockDim.x) atomicAdd(total + i, here[i]);
}

template <typename T>
__device__ void add_to_corners(T* to_map, const LaneSample<T, WarpLanes>& at, int64_t hidden, int64_t channel, T above) {
  if (above == 0) return;
  for (int k = 0; k < 4; ++k) atomicAdd(to_map + at.place.corners.cell[k] * hidden + channel, at.corner[k] * above);
}

// What was added up for the network, to its gradients.
template <typename T>
__global__ void hand_out(FieldSizes s, const T* sums, ToField<T> to) {
  const int64_t weights = s.encoded * s.hidden;
  for (int64_t i = first_thread(); i < network_numbers(s); i += all_threads()) {
    if (i < weights) {
      to.from_position[i % s.hidden * s.encoded + i / s.hidden] = sums[i];
    } else if (i < weights + s.hidden) {
      to.to_density[i - weights] = sums[i];
    } else {
      *to.bias = sums[i];
    }
  }
}

// What drivers on such a field for CUDA begin with.
struct FieldOnDevice : OnDeviceOf {
  using OnDeviceOf::OnDeviceOf;

  static void check_field(const char* op, const FieldSizes& s) {
    STD_TORCH_CHECK(s.hidden <= MOST_HIDDEN, op, ": folded: expected at most ", MOST_HIDDEN, " channels on CUDA, got ", s.hidden);
  }

  // [encoded, hidden], so that the lanes of a warp read neighbours.
  static Tensor first_layer(const Tensor& from_position) {
    return torch::stable::contiguous(torch::stable::transpose(from_position, 0, 1));
  }

 protected:
  // A warp an item, in blocks that add up what they have for the network; kernels take the sums and where they stand last.
  template <typename T, typename Kernel, typename... Arguments>
  void run_summing(const char* op, Kernel kernel, const FieldSizes& s, int64_t items, const ToField<T>& to,
                   Arguments... arguments) const {
    Tensor sums = scratch(network_numbers(s));
    torch::stable::zero_(sums);
    const int64_t shared = shared_bytes<T>(s);
    run_in(op, kernel, items * WARP, MOST_SUMMING_BLOCKS, shared, arguments..., write<T>(sums), shared > 0);
    run(op, hand_out<T>, network_numbers(s), s, read<T>(sums), to);
  }
};

}  // namespace scene3d
