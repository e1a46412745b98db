// The network of a pixel-aligned field on CUDA: laid out for warps, and its gradient added up block by block.
#pragma once

#include <tuple>

#include "launch.cuh"
#include "march_field.h"
#include "pixel_field_checks.h"

namespace scene3d {

inline void check_lanes(const char* op, const FieldSizes& s) {
  STD_TORCH_CHECK(s.hidden <= MOST_HIDDEN, op, ": folded: expected at most ", MOST_HIDDEN, " channels on CUDA, got ", s.hidden);
}

// [encoded, hidden], so that the lanes of a warp read neighbours.
inline Tensor transposed(const Tensor& weights) {
  return torch::stable::contiguous(torch::stable::transpose(weights, 0, 1));
}

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

// The four gradients from the map's and the sums.
inline std::tuple<Tensor, Tensor, Tensor, Tensor> field_gradients(const FieldSizes& s, const Tensor& to_map, Tensor& sums) {
  const auto part = [&](int64_t from, int64_t count) { return torch::stable::narrow(sums, 0, from, count); };
  const int64_t weights = s.encoded * s.hidden;
  const Tensor turned = torch::stable::view(part(0, weights), {s.encoded, s.hidden});
  return {to_map, transposed(turned), torch::stable::clone(part(weights, s.hidden)),
          torch::stable::clone(torch::stable::view(part(weights + s.hidden, 1), {}))};
}

}  // namespace scene3d
