// segment_scan and sample_pdf on CUDA: a thread a ray.
#include "launch.cuh"
#include "segments_checks.h"

namespace scene3d {
namespace {

template <typename T>
__global__ void scan_rays(const T* values, const int64_t* offsets, int64_t rays, int64_t samples, bool exclusive, bool reverse,
                          T* out) {
  for (int64_t ray = first_thread(); ray < rays; ray += all_threads()) {
    // Offsets that do not fit must not be followed out of the arrays.
    const int64_t from = larger<int64_t>(0, smaller(offsets[ray], samples));
    const int64_t to = larger(from, smaller(offsets[ray + 1], samples));
    scan_ray(values + from, to - from, exclusive, reverse, out + from);
  }
}

template <typename T>
__global__ void sample_rays(const T* edges, const T* weights, const T* positions, int64_t rays, int64_t bins, int64_t count,
                            T* out) {
  for (int64_t ray = first_thread(); ray < rays; ray += all_threads())
    sample_ray(edges + ray * (bins + 1), weights + ray * bins, bins, positions + ray * count, count, out + ray * count);
}

Tensor scan(const Tensor& values, const Tensor& offsets, bool exclusive, bool reverse) {
  const char* op = "segment_scan";
  const int64_t rays = check_segments(op, values, offsets);
  const OnDeviceOf device(values);
  const Tensor v = rows(values), o = rows(offsets);
  Tensor out = torch::stable::empty_like(v);
  with_scalar(v, [&](auto zero) {
    using T = decltype(zero);
    device.run(op, scan_rays<T>, rays, read<T>(v), read<int64_t>(o), rays, v.size(0), exclusive, reverse, write<T>(out));
  });
  return out;
}

Tensor sample(const Tensor& edges, const Tensor& weights, const Tensor& positions) {
  const char* op = "sample_pdf";
  check_histograms(op, edges, weights, positions);
  const OnDeviceOf device(weights);
  const Tensor e = rows(edges), w = rows(weights), p = rows(positions);
  Tensor out = torch::stable::empty_like(p);
  with_scalar(w, [&](auto zero) {
    using T = decltype(zero);
    device.run(op, sample_rays<T>, w.size(0), read<T>(e), read<T>(w), read<T>(p), w.size(0), w.size(1), p.size(1), write<T>(out));
  });
  return out;
}

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(scene3d, CUDA, m) {
  m.impl("segment_scan", TORCH_BOX(&scan));
  m.impl("sample_pdf", TORCH_BOX(&sample));
}

}  // namespace scene3d
