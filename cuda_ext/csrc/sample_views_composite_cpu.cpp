// sample_views_composite on the CPU: rays shared out over threads; for the gradient of the maps, views and blocks of
// channels, whose gradients never meet, so that it is deterministic.
#include <algorithm>

#include "sample_views_composite_frame.h"

namespace scene3d {
namespace {

constexpr int64_t RAYS_A_THREAD = 16;

struct Cpu : OnHost {
  using OnHost::OnHost;

  template <typename T>
  void forward(const LookArrays<T>& in, T* sums, T* shares) const {
    const LookSizes& s = in.size;
    with_count<3, 4, 16, 32, 64>(s.channels, [&](auto channels) {
      torch::stable::parallel_for(0, s.batch * s.views * s.rays, RAYS_A_THREAD, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
          const int64_t first = s.ray_of(i) * s.samples;
          look_along_ray<channels()>(in.view(i / s.rays), in.points + first * 3, in.weights + first, s.samples, s.channels,
                                     sums + i * s.channels, shares + i);
        }
      });
    });
  }

  template <typename T>
  void weight_backward(const LookArrays<T>& in, const T* grad, const T* grad_share, T* to_weights) const {
    const LookSizes& s = in.size;
    with_count<3, 4, 16, 32, 64>(s.channels, [&](auto channels) {
      torch::stable::parallel_for(0, s.batch * s.rays, RAYS_A_THREAD, [&](int64_t begin, int64_t end) {
        for (int64_t ray = begin; ray < end; ++ray) {
          const int64_t first = ray * s.samples, scene = ray / s.rays;
          std::fill_n(to_weights + first, s.samples, T(0));
          for (int64_t view = scene * s.views; view < (scene + 1) * s.views; ++view) {
            const int64_t i = view * s.rays + ray % s.rays;
            look_along_ray_backward<channels()>(in.view(view), in.points + first * 3, s.samples, s.channels,
                                                grad + i * s.channels, grad_share[i], to_weights + first);
          }
        }
      });
    });
  }

  template <typename T>
  void map_backward(const LookArrays<T>& in, const T* grad, T* to_maps) const {
    const LookSizes& s = in.size;
    const int64_t views = s.batch * s.views, threads = torch::stable::get_num_threads();
    // As many blocks of channels as it takes to keep the threads busy, but none narrower than a cache line.
    const int64_t wanted = (threads + views - 1) / std::max<int64_t>(views, 1);
    const int64_t blocks = std::clamp<int64_t>(wanted, 1, std::max<int64_t>(s.channels / 16, 1));
    torch::stable::parallel_for(0, views * blocks, 1, [&](int64_t begin, int64_t end) {
      for (int64_t job = begin; job < end; ++job) {
        const int64_t from = job % blocks * s.channels / blocks, to = (job % blocks + 1) * s.channels / blocks;
        add_to_view(in, grad, job / blocks, from, to, to_maps);
      }
    });
  }

 private:
  // Channels [from, to) of the gradient of one view.
  template <typename T>
  static void add_to_view(const LookArrays<T>& in, const T* grad, int64_t index, int64_t from, int64_t to, T* to_maps) {
    const LookSizes& s = in.size;
    const View<T> view = in.view(index);
    T* to_map = to_maps + index * s.height * s.width * s.channels;
    for (int64_t i = index * s.rays; i < (index + 1) * s.rays; ++i) {
      const T* above = grad + i * s.channels;
      const int64_t first = s.ray_of(i) * s.samples;
      for (int64_t sample = first; sample < first + s.samples; ++sample) {
        bool seen;
        const Corners<T> corners = view.look(in.points + sample * 3, &seen);
        T weight[4];
        corners.weights(weight);
        for (int k = 0; k < 4; ++k) {
          const T share = weight[k] * in.weights[sample];
          T* cell = to_map + corners.cell[k] * s.channels;
          for (int64_t channel = from; channel < to; ++channel) cell[channel] += share * above[channel];
        }
      }
    }
  }
};

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(scene3d, CPU, m) {
  m.impl("sample_views_composite", TORCH_BOX(&sample_views_composite<Cpu>));
  m.impl("sample_views_composite_map_backward", TORCH_BOX(&sample_views_composite_map_backward<Cpu>));
  m.impl("sample_views_composite_weight_backward", TORCH_BOX(&sample_views_composite_weight_backward<Cpu>));
}

}  // namespace scene3d
