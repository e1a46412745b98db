// plane_sweep on the CPU. Forward shares out rows of pixels over threads. Backward takes pixels in turns: where they fall is
// worked out by all threads, a pixel each; then every thread adds up channels of its own, whose gradients never meet, so that
// it is deterministic without a second copy of the sources' gradient.
#include <algorithm>
#include <limits>

#include "plane_sweep_frame.h"
#include "small_product.h"

namespace scene3d {
namespace {

template <int CHANNELS, bool DOT, typename T>
void sweep_pixel(const SweepArrays<T>& in, int64_t b, int64_t pixel, const Swept<T>& out) {
  const SweepSizes& s = in.size;
  const int64_t cells = s.cells();
  const T* here = in.here(b, pixel);
  T* mine = out.cost + b * s.hypotheses * cells + pixel;
  uint8_t* seen_by = out.count + b * s.hypotheses * cells + pixel;
  for (int64_t d = 0; d < s.hypotheses; ++d) mine[d * cells] = 0, seen_by[d * cells] = 0;
  for (int64_t view = b * s.views; view < (b + 1) * s.views; ++view) {
    const Epipolar<T> line = in.line(view, pixel);
    const T* map = in.source(view);
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

// A hypothesis of a pixel in a cell of a source: the weights of the cell's corners, and its share of the gradient.
template <typename T>
struct Touch {
  T corner[4], share;
};

// Hypotheses one after the other that fall into the same cell, as neighbours mostly do: the cell's corners are fetched, and
// added to, once for all of them.
struct Run {
  int64_t cell[4];      // counted over all sources
  int64_t first, last;  // touches
};

// Where the pixels of a turn fall, in so many views at so many depths.
template <typename T>
class SweepTurn {
 public:
  static constexpr int64_t TOUCHES = 1 << 14;  // fit into a second-level cache

  explicit SweepTurn(const SweepSizes& s)
      : most_(std::max<int64_t>(s.views * s.hypotheses, 1)),
        pixels_(std::max<int64_t>(TOUCHES / most_, 1)),
        touches_(pixels_ * most_),
        runs_(pixels_ * most_),
        counts_(pixels_) {}

  int64_t pixels() const { return pixels_; }

  // Memory of a thread for one pixel.
  struct Scratch {
    std::vector<Corners<T>> corners;
    std::vector<uint8_t> seen, seen_by;

    explicit Scratch(const SweepSizes& s) : corners(s.views * s.hypotheses), seen(s.views * s.hypotheses), seen_by(s.hypotheses) {}
  };

  // The pixel at `index`, counted over all scenes, takes a place of the turn.
  template <bool DOT>
  void look(const SweepArrays<T>& in, const T* grad, int64_t index, int64_t place, Scratch& scratch) {
    const SweepSizes& s = in.size;
    const int64_t cells = s.cells(), b = index / cells, pixel = index % cells;
    const T* above = grad + b * s.hypotheses * cells + pixel;
    std::fill(scratch.seen_by.begin(), scratch.seen_by.end(), 0);
    for (int64_t v = 0; v < s.views; ++v) {
      const Epipolar<T> line = in.line(b * s.views + v, pixel);
      for (int64_t d = 0; d < s.hypotheses; ++d) {
        T x, y;
        const int64_t at = v * s.hypotheses + d;
        scratch.seen[at] = above[d * cells] != 0 && in.place(line, in.depth(b, d, pixel), &x, &y);
        if (!scratch.seen[at]) continue;
        scratch.corners[at] = in.corners(x, y);
        ++scratch.seen_by[d];
      }
    }
    int64_t touch = place * most_, run = place * most_ - 1;
    const int64_t before = run;
    for (int64_t v = 0; v < s.views; ++v) {
      const int64_t first = (b * s.views + v) * s.source_cells();
      for (int64_t d = 0, last = -1; d < s.hypotheses; ++d) {
        if (!scratch.seen[v * s.hypotheses + d]) continue;
        const Corners<T>& corners = scratch.corners[v * s.hypotheses + d];
        Touch<T> one;
        corners.weights(one.corner);
        one.share = above[d * cells] / (T(scratch.seen_by[d]) * T(s.channels));
        const bool same = corners.cell[0] == last;
        last = corners.cell[0];
        if (!same) {
          Run& begun = runs_[++run];
          for (int k = 0; k < 4; ++k) begun.cell[k] = first + corners.cell[k];
          begun.first = begun.last = touch;
        }
        if (DOT && same) {
          // Products are linear in the source: one touch says it for the whole run.
          for (int k = 0; k < 4; ++k) touches_[touch - 1].corner[k] += one.share * one.corner[k];
          continue;
        }
        if (DOT)
          for (int k = 0; k < 4; ++k) one.corner[k] *= one.share;
        touches_[touch++] = one;
        runs_[run].last = touch;
      }
    }
    counts_[place] = run - before;
  }

  // Adds `count` channels of a pixel from channel `from` on, at most a pack; WHOLE says that it is one.
  template <bool DOT, bool WHOLE>
  void add(const SweepArrays<T>& in, int64_t index, int64_t place, int64_t from, int64_t count, T* to_features,
           T* to_sources) const {
    const int64_t channels = in.size.channels;
    const Pack<T> here = get<WHOLE>(in.features + index * channels + from, count);
    Pack<T> to_here{};
    for (const Run* run = runs_.data() + place * most_; run < runs_.data() + place * most_ + counts_[place]; ++run) {
      Pack<T> map[4], pull[4] = {};
      for (int k = 0; k < 4; ++k) map[k] = get<WHOLE>(in.sources + run->cell[k] * channels + from, count);
      for (int64_t i = run->first; i < run->last; ++i) {
        const Touch<T>& touch = touches_[i];
        const T* w = touch.corner;
        const Pack<T> there = w[0] * map[0] + w[1] * map[1] + w[2] * map[2] + w[3] * map[3];
        if (DOT) {
          to_here += there;
          for (int k = 0; k < 4; ++k) pull[k] = w[k] * here;
        } else {
          const Pack<T> none{}, share = none + touch.share, difference = here - there;
          const Pack<T> slope = (difference > none ? share : none) - (difference < none ? share : none);
          to_here += slope;
          for (int k = 0; k < 4; ++k) pull[k] -= w[k] * slope;
        }
      }
      // One after the other: at the border two corners are the same cell.
      for (int k = 0; k < 4; ++k) put<WHOLE>(to_sources + run->cell[k] * channels + from, count, pull[k]);
    }
    put<WHOLE>(to_features + index * channels + from, count, to_here);
  }

 private:
  template <bool WHOLE>
  static Pack<T> get(const T* from, int64_t count) {
    if (WHOLE) return *reinterpret_cast<const Pack<T>*>(from);
    Pack<T> found{};
    for (int64_t c = 0; c < count; ++c) found[c] = from[c];
    return found;
  }

  template <bool WHOLE>
  static void put(T* to, int64_t count, const Pack<T>& more) {
    if (WHOLE) {
      *reinterpret_cast<Pack<T>*>(to) += more;
    } else {
      for (int64_t c = 0; c < count; ++c) to[c] += more[c];
    }
  }

  int64_t most_, pixels_;
  std::vector<Touch<T>> touches_;
  std::vector<Run> runs_;
  std::vector<int64_t> counts_;
};

struct Cpu : OnHost {
  using OnHost::OnHost;

  template <bool DOT, typename T>
  void forward(const SweepArrays<T>& in, const Swept<T>& out) const {
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

  template <bool DOT, typename T>
  void backward(const SweepArrays<T>& in, const T* grad, T* to_features, T* to_sources) const {
    const int64_t all = in.size.batch * in.size.cells(), channels = in.size.channels;
    const int64_t packs = (channels + PACK<T> - 1) / PACK<T>;
    SweepTurn<T> turn(in.size);
    for (int64_t start = 0; start < all; start += turn.pixels()) {
      const int64_t pixels = std::min(turn.pixels(), all - start);
      torch::stable::parallel_for(0, pixels, 8, [&](int64_t begin, int64_t end) {
        typename SweepTurn<T>::Scratch scratch(in.size);
        for (int64_t i = begin; i < end; ++i) turn.template look<DOT>(in, grad, start + i, i, scratch);
      });
      torch::stable::parallel_for(0, packs, 1, [&](int64_t begin, int64_t end) {
        for (int64_t i = 0; i < pixels; ++i) {
          for (int64_t pack = begin; pack < end; ++pack) {
            const int64_t from = pack * PACK<T>, count = std::min(PACK<T>, channels - from);
            if (count == PACK<T>) {
              turn.template add<DOT, true>(in, start + i, i, from, count, to_features, to_sources);
            } else {
              turn.template add<DOT, false>(in, start + i, i, from, count, to_features, to_sources);
            }
          }
        }
      });
    }
  }
};

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(scene3d, CPU, m) {
  m.impl("plane_sweep", TORCH_BOX(&plane_sweep<Cpu>));
  m.impl("plane_sweep_backward", TORCH_BOX(&plane_sweep_backward<Cpu>));
}

}  // namespace scene3d
