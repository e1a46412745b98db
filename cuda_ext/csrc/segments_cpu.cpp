// segment_scan and sample_pdf on the CPU: rays shared out over threads.
#include "segments_frame.h"

namespace scene3d {
namespace {

constexpr int64_t RAYS_A_THREAD = 64;

struct Cpu : OnHost {
  using OnHost::OnHost;

  template <typename T>
  void scan(int64_t rays, int64_t, const T* values, const int64_t* offsets, bool exclusive, bool reverse, T* out) const {
    torch::stable::parallel_for(0, rays, RAYS_A_THREAD, [&](int64_t begin, int64_t end) {
      for (int64_t ray = begin; ray < end; ++ray)
        scan_ray(values + offsets[ray], offsets[ray + 1] - offsets[ray], exclusive, reverse, out + offsets[ray]);
    });
  }

  template <typename T>
  void sample(const HistogramSizes& s, const T* edges, const T* weights, const T* positions, T* out) const {
    torch::stable::parallel_for(0, s.rays, RAYS_A_THREAD, [&](int64_t begin, int64_t end) {
      for (int64_t ray = begin; ray < end; ++ray) sample_ray_of(s, ray, edges, weights, positions, out);
    });
  }
};

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(scene3d, CPU, m) {
  m.impl("segment_scan", TORCH_BOX(&segment_scan<Cpu>));
  m.impl("sample_pdf", TORCH_BOX(&sample_pdf<Cpu>));
}

}  // namespace scene3d
