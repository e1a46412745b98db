// sample_views on CUDA: a thread a channel of a sample, so that neighbours read neighbouring channels.
#include "launch.cuh"
#include "sample_views_frame.h"

namespace scene3d {
namespace {

template <typename T, typename Stored>
__global__ void gather(Positions<T> in, const Stored* maps, T* out) {
  const ViewSizes& s = in.size;
  for (int64_t item = first_thread(); item < s.views * s.positions * s.channels; item += all_threads()) {
    const int64_t i = item / s.channels;
    const Corners<T> corners = in.corners(i);
    T w[4];
    corners.weights(w);
    out[item] = blend(corners, w, maps + s.first_cell(i) * s.channels, s.channels, item % s.channels);
  }
}

template <typename T>
__global__ void scatter(Positions<T> in, const T* grad, T* to_maps) {
  const ViewSizes& s = in.size;
  for (int64_t item = first_thread(); item < s.views * s.positions * s.channels; item += all_threads()) {
    const int64_t i = item / s.channels, c = item % s.channels;
    const Corners<T> corners = in.corners(i);
    T w[4];
    corners.weights(w);
    for (int k = 0; k < 4; ++k)
      atomicAdd(to_maps + (s.first_cell(i) + corners.cell[k]) * s.channels + c, w[k] * grad[item]);
  }
}

template <typename T, typename Stored>
__global__ void slopes(Positions<T> in, const T* grad, const Stored* maps, T* to_pixels) {
  const WarpLanes lanes;
  const ViewSizes& s = in.size;
  for (int64_t i = first_thread() / WARP; i < s.views * s.positions; i += all_threads() / WARP) {
    const Corners<T> corners = in.corners(i);
    T along[4] = {0, 0, 0, 0};
    for (int64_t c = lanes.lane(); c < s.channels; c += WARP)
      for (int k = 0; k < 4; ++k)
        along[k] += T(maps[(s.first_cell(i) + corners.cell[k]) * s.channels + c]) * grad[i * s.channels + c];
    for (int k = 0; k < 4; ++k) along[k] = lanes.sum(along[k]);
    if (lanes.lane() == 0) corners.slopes(along, to_pixels + 2 * i);
  }
}

struct Cuda : OnDeviceOf {
  using OnDeviceOf::OnDeviceOf;

  template <typename T, typename Stored>
  void forward(const Positions<T>& in, const Stored* maps, T* out) const {
    run("sample_views", gather<T, Stored>, in.size.views * in.size.positions * in.size.channels, in, maps, out);
  }

  template <typename T>
  void map_backward(const Positions<T>& in, const T* grad, T* to_maps) const {
    run("sample_views_map_backward", scatter<T>, in.size.views * in.size.positions * in.size.channels, in, grad, to_maps);
  }

  template <typename T, typename Stored>
  void pixel_backward(const Positions<T>& in, const T* grad, const Stored* maps, T* to_pixels) const {
    run("sample_views_pixel_backward", slopes<T, Stored>, in.size.views * in.size.positions * WARP, in, grad, maps, to_pixels);
  }
};

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(scene3d, CUDA, m) {
  m.impl("sample_views", TORCH_BOX(&sample_views<Cuda>));
  m.impl("sample_views_map_backward", TORCH_BOX(&sample_views_map_backward<Cuda>));
  m.impl("sample_views_pixel_backward", TORCH_BOX(&sample_views_pixel_backward<Cuda>));
}

}  // namespace scene3d
