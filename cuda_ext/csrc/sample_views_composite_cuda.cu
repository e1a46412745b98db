// sample_views_composite on CUDA: a warp a ray in a view, its lanes share out the channels; for the weights, a thread a
// sample.
#include "launch.cuh"
#include "sample_views_composite_frame.h"

namespace scene3d {
namespace {

template <typename T, typename Stored>
__global__ void look(LookArrays<T, Stored> in, T* sums, T* shares) {
  const WarpLanes lanes;
  const LookSizes& s = in.size;
  for (int64_t i = first_thread() / WARP; i < s.batch * s.views * s.rays; i += all_threads() / WARP) {
    const int64_t first = s.ray_of(i) * s.samples;
    const View<T, Stored> view = in.view(i / s.rays);
    for (int64_t c = lanes.lane(); c < s.channels; c += WARP) sums[i * s.channels + c] = 0;
    T total = 0;
    for (int64_t sample = first; sample < first + s.samples; ++sample) {
      bool seen;
      const T weight = in.weights[sample];
      const Corners<T> corners = view.look(in.points + sample * 3, &seen);
      T w[4];
      corners.weights(w);
      if (seen) total += weight;
      for (int64_t c = lanes.lane(); c < s.channels; c += WARP)
        sums[i * s.channels + c] += weight * blend(corners, w, view.map, s.channels, c);
    }
    if (lanes.lane() == 0) shares[i] = total;
  }
}

template <typename T, typename Stored>
__global__ void look_backward_weights(LookArrays<T, Stored> in, const T* grad, const T* grad_share, T* to_weights) {
  const LookSizes& s = in.size;
  for (int64_t sample = first_thread(); sample < s.batch * s.rays * s.samples; sample += all_threads()) {
    const int64_t ray = sample / s.samples, first = ray / s.rays * s.views;
    T worth = 0;
    for (int64_t index = first; index < first + s.views; ++index) {
      const int64_t i = index * s.rays + ray % s.rays;
      look_along_ray_backward<0>(in.view(index), in.points + sample * 3, 1, s.channels, grad + i * s.channels, grad_share[i],
                                 &worth);
    }
    to_weights[sample] = worth;
  }
}

template <typename T>
__global__ void look_backward_maps(LookArrays<T> in, const T* grad, T* to_maps) {
  const WarpLanes lanes;
  const LookSizes& s = in.size;
  for (int64_t item = first_thread() / WARP; item < s.batch * s.views * s.rays * s.samples; item += all_threads() / WARP) {
    const int64_t i = item / s.samples, index = i / s.rays, sample = s.ray_of(i) * s.samples + item % s.samples;
    bool seen;
    const Corners<T> corners = in.view(index).look(in.points + sample * 3, &seen);
    T w[4];
    corners.weights(w);
    T* map = to_maps + index * s.height * s.width * s.channels;
    for (int64_t c = lanes.lane(); c < s.channels; c += WARP)
      for (int k = 0; k < 4; ++k)
        atomicAdd(map + corners.cell[k] * s.channels + c, w[k] * in.weights[sample] * grad[i * s.channels + c]);
  }
}

struct Cuda : OnDeviceOf {
  using OnDeviceOf::OnDeviceOf;

  template <typename T, typename Stored>
  void forward(const LookArrays<T, Stored>& in, T* sums, T* shares) const {
    run("sample_views_composite", look<T, Stored>, in.size.batch * in.size.views * in.size.rays * WARP, in, sums, shares);
  }

  template <typename T, typename Stored>
  void weight_backward(const LookArrays<T, Stored>& in, const T* grad, const T* grad_share, T* to_weights) const {
    run("sample_views_composite_weight_backward", look_backward_weights<T, Stored>, in.size.batch * in.size.rays * in.size.samples, in,
        grad, grad_share, to_weights);
  }

  template <typename T>
  void map_backward(const LookArrays<T>& in, const T* grad, T* to_maps) const {
    const LookSizes& s = in.size;
    run("sample_views_composite_map_backward", look_backward_maps<T>, s.batch * s.views * s.rays * s.samples * WARP, in, grad,
        to_maps);
  }
};

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(scene3d, CUDA, m) {
  m.impl("sample_views_composite", TORCH_BOX(&sample_views_composite<Cuda>));
  m.impl("sample_views_composite_map_backward", TORCH_BOX(&sample_views_composite_map_backward<Cuda>));
  m.impl("sample_views_composite_weight_backward", TORCH_BOX(&sample_views_composite_weight_backward<Cuda>));
}

}  // namespace scene3d
