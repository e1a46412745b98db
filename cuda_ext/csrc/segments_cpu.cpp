// segment_scan and sample_pdf on the CPU: rays shared out over threads.
#include "segments_checks.h"

namespace scene3d {
namespace {

constexpr int64_t RAYS_A_THREAD = 64;

Tensor scan(const Tensor& values, const Tensor& offsets, bool exclusive, bool reverse) {
  const int64_t rays = check_segments("segment_scan", values, offsets);
  const Tensor v = rows(values), o = rows(offsets);
  const int64_t* at = read<int64_t>(o);
  bool fits = at[0] == 0 && at[rays] == v.size(0);
  for (int64_t ray = 0; fits && ray < rays; ++ray) fits = at[ray] <= at[ray + 1];
  STD_TORCH_CHECK(fits, "segment_scan: offsets: expected to rise from 0 to ", v.size(0), ", the number of samples, got others");
  Tensor out = torch::stable::empty_like(v);
  with_scalar(v, [&](auto zero) {
    using T = decltype(zero);
    torch::stable::parallel_for(0, rays, RAYS_A_THREAD, [&](int64_t begin, int64_t end) {
      for (int64_t ray = begin; ray < end; ++ray)
        scan_ray(read<T>(v) + at[ray], at[ray + 1] - at[ray], exclusive, reverse, write<T>(out) + at[ray]);
    });
  });
  return out;
}

Tensor sample(const Tensor& edges, const Tensor& weights, const Tensor& positions) {
  check_histograms("sample_pdf", edges, weights, positions);
  const Tensor e = rows(edges), w = rows(weights), p = rows(positions);
  const int64_t bins = w.size(1), count = p.size(1);
  Tensor out = torch::stable::empty_like(p);
  with_scalar(w, [&](auto zero) {
    using T = decltype(zero);
    torch::stable::parallel_for(0, w.size(0), RAYS_A_THREAD, [&](int64_t begin, int64_t end) {
      for (int64_t ray = begin; ray < end; ++ray)
        sample_ray(read<T>(e) + ray * (bins + 1), read<T>(w) + ray * bins, bins, read<T>(p) + ray * count, count,
                   write<T>(out) + ray * count);
    });
  });
  return out;
}

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(scene3d, CPU, m) {
  m.impl("segment_scan", TORCH_BOX(&scan));
  m.impl("sample_pdf", TORCH_BOX(&sample));
}

}  // namespace scene3d
