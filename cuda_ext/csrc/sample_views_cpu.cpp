// sample_views on the CPU. Backward to the maps is deterministic: each thread owns some rows of the maps, and
// walks all positions in order.
#include <algorithm>

#include "sample_views_frame.h"

namespace scene3d {
namespace {

constexpr int64_t POSITIONS_A_THREAD = 256;

template <typename Body>
void each_position(const ViewSizes& s, const Body& body) {
  torch::stable::parallel_for(0, s.views * s.positions, POSITIONS_A_THREAD, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) body(i);
  });
}

struct Cpu : OnHost {
  using OnHost::OnHost;

  template <typename T>
  void forward(const Positions<T>& in, const T* maps, T* out) const {
    const int64_t channels = in.size.channels;
    each_position(in.size, [&](int64_t i) {
      const Corners<T> corners = in.corners(i);
      T w[4];
      corners.weights(w);
      const T* map = maps + in.size.first_cell(i) * channels;
      const T *a = map + corners.cell[0] * channels, *b = map + corners.cell[1] * channels;
      const T *c = map + corners.cell[2] * channels, *d = map + corners.cell[3] * channels;
      T* value = out + i * channels;
      for (int64_t k = 0; k < channels; ++k) value[k] = w[0] * a[k] + w[1] * b[k] + w[2] * c[k] + w[3] * d[k];
    });
  }

  template <typename T>
  void map_backward(const Positions<T>& in, const T* grad, T* to_maps) const {
    const ViewSizes& s = in.size;
    const int64_t all = s.views * s.height, cells = s.height * s.width;
    const int64_t owners = std::min<int64_t>(torch::stable::get_num_threads(), std::max<int64_t>(all, 1));
    torch::stable::parallel_for(0, owners, 1, [&](int64_t begin, int64_t end) {
      for (int64_t owner = begin; owner < end; ++owner) {
        const int64_t from = owner * all / owners * s.width, to = (owner + 1) * all / owners * s.width;
        for (int64_t i = 0; i < s.views * s.positions; ++i) {
          const int64_t view = s.first_cell(i);
          if (view >= to || view + cells <= from) continue;
          const Corners<T> corners = in.corners(i);
          T w[4];
          corners.weights(w);
          for (int k = 0; k < 4; ++k) {
            const int64_t cell = view + corners.cell[k];
            if (cell < from || cell >= to) continue;
            T* row = to_maps + cell * s.channels;
            const T* value = grad + i * s.channels;
            for (int64_t c = 0; c < s.channels; ++c) row[c] += w[k] * value[c];
          }
        }
      }
    });
  }

  template <typename T>
  void pixel_backward(const Positions<T>& in, const T* grad, const T* maps, T* to_pixels) const {
    const int64_t channels = in.size.channels;
    each_position(in.size, [&](int64_t i) {
      const Corners<T> corners = in.corners(i);
      T along[4] = {0, 0, 0, 0};
      for (int k = 0; k < 4; ++k) {
        const T* value = maps + (in.size.first_cell(i) + corners.cell[k]) * channels;
        for (int64_t c = 0; c < channels; ++c) along[k] += value[c] * grad[i * channels + c];
      }
      corners.slopes(along, to_pixels + 2 * i);
    });
  }
};

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(scene3d, CPU, m) {
  m.impl("sample_views", TORCH_BOX(&sample_views<Cpu>));
  m.impl("sample_views_map_backward", TORCH_BOX(&sample_views_map_backward<Cpu>));
  m.impl("sample_views_pixel_backward", TORCH_BOX(&sample_views_pixel_backward<Cpu>));
}

}  // namespace scene3d
