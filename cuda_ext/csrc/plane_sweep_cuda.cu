// plane_sweep on CUDA: a thread a hypothesis of a pixel, then a thread a pixel for the least of them.
#include "launch.cuh"
#include "plane_sweep_frame.h"

namespace scene3d {
namespace {

// What a thread works on.
struct Hypothesis {
  int64_t pixel, d, b;

  __device__ Hypothesis(const SweepSizes& s, int64_t item)
      : pixel(item % s.cells()), d(item / s.cells() % s.hypotheses), b(item / s.cells() / s.hypotheses) {}
};

template <bool DOT, typename T, typename Stored>
__global__ void costs(SweepArrays<T, Stored> in, Swept<T> out) {
  const SweepSizes& s = in.size;
  for (int64_t item = first_thread(); item < s.batch * s.hypotheses * s.cells(); item += all_threads()) {
    const Hypothesis at(s, item);
    const T depth = in.depth(at.b, at.d, at.pixel);
    T sum = 0, u, v;
    int seen = 0;
    for (int64_t view = at.b * s.views; view < (at.b + 1) * s.views; ++view) {
      if (!in.place(in.line(view, at.pixel), depth, &u, &v)) continue;
      sum += sweep_cost<0, DOT>(in.here(at.b, at.pixel), in.source(view), in.corners(u, v), s.channels);
      ++seen;
    }
    out.cost[item] = seen ? sum / (T(seen) * T(s.channels)) : T(0);
    out.count[item] = static_cast<uint8_t>(seen);
  }
}

template <typename T>
__global__ void least(SweepSizes s, Swept<T> out) {
  const int64_t cells = s.cells();
  for (int64_t item = first_thread(); item < s.batch * cells; item += all_threads()) {
    const int64_t first = item / cells * s.hypotheses * cells + item % cells;
    int64_t best = 0, known = 0;
    T value = T(INFINITY);
    for (int64_t d = 0; d < s.hypotheses; ++d) {
      if (!out.count[first + d * cells]) continue;
      ++known;
      if (out.cost[first + d * cells] < value) value = out.cost[first + d * cells], best = d;
    }
    out.lowest[item] = best;
    out.confidence[item] = T(known) / T(s.hypotheses > 0 ? s.hypotheses : 1);
  }
}

template <bool DOT, typename T, typename Stored>
__global__ void costs_backward(SweepArrays<T, Stored> in, const T* grad, T* to_features, T* to_sources) {
  const SweepSizes& s = in.size;
  for (int64_t item = first_thread(); item < s.batch * s.hypotheses * s.cells(); item += all_threads()) {
    if (grad[item] == 0) continue;
    const Hypothesis at(s, item);
    const T depth = in.depth(at.b, at.d, at.pixel);
    const Stored* here = in.here(at.b, at.pixel);
    T* to_here = to_features + (at.b * s.cells() + at.pixel) * s.channels;
    T u, v;
    int seen = 0;
    for (int64_t view = at.b * s.views; view < (at.b + 1) * s.views; ++view)
      seen += in.place(in.line(view, at.pixel), depth, &u, &v);
    const T share = grad[item] / (T(seen > 0 ? seen : 1) * T(s.channels));
    for (int64_t view = at.b * s.views; view < (at.b + 1) * s.views; ++view) {
      if (!in.place(in.line(view, at.pixel), depth, &u, &v)) continue;
      const Corners<T> corners = in.corners(u, v);
      T weight[4];
      corners.weights(weight);
      T* to_map = to_sources + view * s.source_cells() * s.channels;
      for (int64_t c = 0; c < s.channels; ++c) {
        const T there = blend(corners, weight, in.source(view), s.channels, c), difference = T(here[c]) - there;
        const T slope = DOT ? share * there : share * T((difference > 0) - (difference < 0));
        const T pull = DOT ? share * T(here[c]) : -slope;
        atomicAdd(to_here + c, slope);
        for (int k = 0; k < 4; ++k) atomicAdd(to_map + corners.cell[k] * s.channels + c, weight[k] * pull);
      }
    }
  }
}

struct Cuda : OnDeviceOf {
  using OnDeviceOf::OnDeviceOf;

  template <bool DOT, typename T, typename Stored>
  void forward(const SweepArrays<T, Stored>& in, const Swept<T>& out) const {
    const int64_t pixels = in.size.batch * in.size.cells();
    run("plane_sweep", costs<DOT, T, Stored>, pixels * in.size.hypotheses, in, out);
    run("plane_sweep", least<T>, pixels, in.size, out);
  }

  template <bool DOT, typename T, typename Stored>
  void backward(const SweepArrays<T, Stored>& in, const T* grad, T* to_features, T* to_sources) const {
    const int64_t items = in.size.batch * in.size.hypotheses * in.size.cells();
    run("plane_sweep_backward", costs_backward<DOT, T, Stored>, items, in, grad, to_features, to_sources);
  }
};

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(scene3d, CUDA, m) {
  m.impl("plane_sweep", TORCH_BOX(&plane_sweep<Cuda>));
  m.impl("plane_sweep_backward", TORCH_BOX(&plane_sweep_backward<Cuda>));
}

}  // namespace scene3d
