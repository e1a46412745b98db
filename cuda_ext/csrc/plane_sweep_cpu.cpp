// plane_sweep on the CPU. Forward shares out rows of pixels over threads; backward shares out channels, whose
// gradients never meet, so that it is deterministic without a second copy of the sources' gradient.
#include <algorithm>
#include <limits>

#include "plane_sweep_frame.h"

namespace scene3d {
namespace {

template <int CHANNELS, bool DOT, typename T, typename Stored>
void sweep_pixel(const SweepArrays<T, Stored>& in, int64_t b, int64_t pixel, const Swept<T>& out) {
  const SweepSizes& s = in.size;
  const int64_t cells = s.cells();
  const Stored* here = in.here(b, pixel);
  T* mine = out.cost + b * s.hypotheses * cells + pixel;
  uint8_t* seen_by = out.count + b * s.hypotheses * cells + pixel;
  for (int64_t d = 0; d < s.hypotheses; ++d) mine[d * cells] = 0, seen_by[d * cells] = 0;
  for (int64_t view = b * s.views; view < (b + 1) * s.views; ++view) {
    const Epipolar<T> line = in.line(view, pixel);
    const Stored* map = in.source(view);
    for (int64_t d = 0; d < s.hypotheses; ++d) {
      T u, v;
      if (!in.place(line, in.depth(b, d, pixel), &u, &v)) continue;
      mine[d * cells] += sweep_cost<CHANNELS, DOT>(here, map, in.corners(u, v), s.channels);
      ++seen_by[d * cells];
    }
  }
  int64_t best = 0, known = 0;
  T least = std::numeric_limits<T>::infinity();
  for (int64_t d = 0; d < s.hypotheses; ++d) {
    if (!seen_by[d * cells]) continue;
    T& value = mine[d * cells];
    value /= T(seen_by[d * cells]) * T(s.channels);
    ++known;
    if (value < least) least = value, best = d;
  }
  out.lowest[b * cells + pixel] = best;
  out.confidence[b * cells + pixel] = T(known) / T(std::max<int64_t>(s.hypotheses, 1));
}

// Channels [from, to) of both gradients.
template <bool DOT, typename T, typename Stored>
void sweep_backward(const SweepArrays<T, Stored>& in, const T* grad, int64_t from, int64_t to, T* to_features, T* to_sources) {
  const SweepSizes& s = in.size;
  const int64_t cells = s.cells();
  std::vector<Epipolar<T>> lines;
  lines.reserve(s.views);
  for (int64_t b = 0; b < s.batch; ++b) {
    for (int64_t pixel = 0; pixel < cells; ++pixel) {
      const Stored* here = in.here(b, pixel);
      T* to_here = to_features + (b * cells + pixel) * s.channels;
      lines.clear();
      for (int64_t v = 0; v < s.views; ++v) lines.push_back(in.line(b * s.views + v, pixel));
      for (int64_t d = 0; d < s.hypotheses; ++d) {
        const T above = grad[(b * s.hypotheses + d) * cells + pixel];
        if (above == 0) continue;
        const T depth = in.depth(b, d, pixel);
        int64_t seen = 0;
        T x, y;
        for (const auto& line : lines) seen += in.place(line, depth, &x, &y);
        if (!seen) continue;
        const T share = above / (T(seen) * T(s.channels));
        for (int64_t v = 0; v < s.views; ++v) {
          if (!in.place(lines[v], depth, &x, &y)) continue;
          const Corners<T> corners = in.corners(x, y);
          T weight[4];
          corners.weights(weight);
          const int64_t first = (b * s.views + v) * s.source_cells();
          const Stored* map[4];
          T* to_map[4];
          for (int k = 0; k < 4; ++k) {
            map[k] = in.sources + (first + corners.cell[k]) * s.channels;
            to_map[k] = to_sources + (first + corners.cell[k]) * s.channels;
          }
          for (int64_t c = from; c < to; ++c) {
            const T there = weight[0] * T(map[0][c]) + weight[1] * T(map[1][c]) + weight[2] * T(map[2][c]) + weight[3] * T(map[3][c]);
            const T difference = T(here[c]) - there;
            const T slope = DOT ? share * there : share * T((difference > 0) - (difference < 0));
            const T pull = DOT ? share * T(here[c]) : -slope;
            to_here[c] += slope;
            // One after the other: at the border two corners are the same cell.
            to_map[0][c] += weight[0] * pull;
            to_map[1][c] += weight[1] * pull;
            to_map[2][c] += weight[2] * pull;
            to_map[3][c] += weight[3] * pull;
          }
        }
      }
    }
  }
}

struct Cpu : OnHost {
  using OnHost::OnHost;

  template <bool DOT, typename T, typename Stored>
  void forward(const SweepArrays<T, Stored>& in, const Swept<T>& out) const {
    const SweepSizes& s = in.size;
    with_count<16, 32, 64>(s.channels, [&](auto channels) {
      torch::stable::parallel_for(0, s.batch * s.height, 1, [&](int64_t begin, int64_t end) {
        for (int64_t row = begin; row < end; ++row) {
          const int64_t first = row % s.height * s.width;
          for (int64_t pixel = first; pixel < first + s.width; ++pixel)
            sweep_pixel<channels(), DOT>(in, row / s.height, pixel, out);
        }
      });
    });
  }

  template <bool DOT, typename T, typename Stored>
  void backward(const SweepArrays<T, Stored>& in, const T* grad, T* to_features, T* to_sources) const {
    const int64_t channels = in.size.channels;
    const int64_t parts = std::clamp<int64_t>(torch::stable::get_num_threads(), 1, std::max<int64_t>(channels / 8, 1));
    torch::stable::parallel_for(0, parts, 1, [&](int64_t begin, int64_t end) {
      for (int64_t part = begin; part < end; ++part)
        sweep_backward<DOT>(in, grad, part * channels / parts, (part + 1) * channels / parts, to_features, to_sources);
    });
  }
};

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(scene3d, CPU, m) {
  m.impl("plane_sweep", TORCH_BOX(&plane_sweep<Cpu>));
  m.impl("plane_sweep_backward", TORCH_BOX(&plane_sweep_backward<Cpu>));
}

}  // namespace scene3d
