// Running sums and the inverted histogram of one ray; see scene3d/ops/segment_scan.py and sample_pdf.py.
#pragma once

#include "portable.h"

namespace scene3d {

template <typename T>
S3D_HD void scan_ray(const T* values, int64_t count, bool exclusive, bool reverse, T* out) {
  double sum = 0;
  for (int64_t k = 0; k < count; ++k) {
    const int64_t i = reverse ? count - 1 - k : k;
    const double before = sum;
    sum += double(values[i]);
    out[i] = T(exclusive ? before : sum);
  }
}

// The distance before which a share of the weight lies. `wanted` is that share times the total; the bin is looked for
// from the front, so many positions of a ray in order cost one walk: `bin` and `reached` go on from the last call.
template <typename T>
struct Histogram {
  const T *edges, *weights;
  int64_t bins;
  bool even;  // no bin has any weight: all weigh the same

  S3D_HD T weight(int64_t bin) const { return even ? T(1) : weights[bin]; }

  S3D_HD T at(T wanted, int64_t* bin, T* reached) const {
    while (*bin < bins - 1 && !(wanted < *reached + weight(*bin))) *reached += weight((*bin)++);
    // Past the last bin that has weight: its far edge.
    int64_t last = *bin;
    T low = *reached;
    while (last > 0 && !(weight(last) > 0)) low -= weight(--last);
    const T share = smaller(larger((wanted - low) / weight(last), T(0)), T(1));
    return edges[last] + share * (edges[last + 1] - edges[last]);
  }
};

template <typename T>
S3D_HD void sample_ray(const T* edges, const T* weights, int64_t bins, const T* positions, int64_t count, T* out) {
  T total = 0;
  for (int64_t i = 0; i < bins; ++i) total += weights[i];
  const Histogram<T> histogram{edges, weights, bins, !(total > 0)};
  if (histogram.even) total = T(bins);
  int64_t bin = 0;
  T reached = 0, before = 0;
  for (int64_t k = 0; k < count; ++k) {
    const T wanted = smaller(larger(positions[k], T(0)), T(1)) * total;
    if (k == 0 || wanted < before) bin = 0, reached = 0;
    before = wanted;
    out[k] = histogram.at(wanted, &bin, &reached);
  }
}

}  // namespace scene3d
