// segment_scan and sample_pdf on CUDA: a thread a ray.
#include "launch.cuh"
#include "segments_frame.h"

namespace scene3d {
namespace {

template <typename T>
__global__ void scan_rays(int64_t rays, int64_t samples, const T* values, const int64_t* offsets, bool exclusive, bool reverse,
                          T* out) {
  for (int64_t ray = first_thread(); ray < rays; ray += all_threads()) {
    const PackedRay at = packed_ray(offsets, ray, samples);
    scan_ray(values + at.first, at.count, exclusive, reverse, out + at.first);
  }
}

template <typename T>
__global__ void sample_rays(HistogramSizes s, const T* edges, const T* weights, const T* positions, T* out) {
  for (int64_t ray = first_thread(); ray < s.rays; ray += all_threads())
    sample_ray_of(s, ray, edges, weights, positions, out);
}

struct Cuda : OnDeviceOf {
  using OnDeviceOf::OnDeviceOf;

  template <typename T>
  void scan(int64_t rays, int64_t samples, const T* values, const int64_t* offsets, bool exclusive, bool reverse, T* out) const {
    run("segment_scan", scan_rays<T>, rays, rays, samples, values, offsets, exclusive, reverse, out);
  }

  template <typename T>
  void sample(const HistogramSizes& s, const T* edges, const T* weights, const T* positions, T* out) const {
    run("sample_pdf", sample_rays<T>, s.rays, s, edges, weights, positions, out);
  }
};

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(scene3d, CUDA, m) {
  m.impl("segment_scan", TORCH_BOX(&segment_scan<Cuda>));
  m.impl("sample_pdf", TORCH_BOX(&sample_pdf<Cuda>));
}

}  // namespace scene3d
