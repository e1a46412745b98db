// field_density on CUDA: a warp a point, its lanes share out the hidden layer.
#include "field_density_frame.h"
#include "pixel_field.cuh"

namespace scene3d {
namespace {

template <typename T, typename Stored>
__global__ void ask(FieldPointers<T, Stored> in, int64_t each, const T* points, T* density, bool* valid) {
  const WarpLanes lanes;
  for (int64_t i = first_thread() / WARP; i < in.size.batch * each; i += all_threads() / WARP) {
    const PixelField<T, Stored> field = in.scene(i / each);
    const LaneSample<T, WarpLanes> at(field, points + 3 * i, lanes);
    if (lanes.lane() == 0) {
      density[i] = softplus(at.logit);
      valid[i] = at.place.valid;
    }
  }
}

template <typename T, typename Stored>
__global__ void ask_backward(FieldPointers<T, Stored> in, int64_t each, const T* points, const T* grad, T* to_map, T* sums, bool shared) {
  with_network_sums<T>(in.size, shared, sums, [&](const NetworkSums<T>& network) {
    const WarpLanes lanes;
    for (int64_t i = first_thread() / WARP; i < in.size.batch * each; i += all_threads() / WARP) {
      const PixelField<T, Stored> field = in.scene(i / each);
      const LaneSample<T, WarpLanes> at(field, points + 3 * i, lanes);
      const T to_logit = grad[i] * logistic(at.logit);
      for (int64_t c = lanes.lane(), kept = 0; c < field.hidden; c += WARP, ++kept) {
        const T above = at.hidden[kept] > 0 ? to_logit * field.to_density[c] : T(0);
        network.add(at.code, c, to_logit, at.hidden[kept], above);
        add_to_corners(to_map + i / each * in.size.map_numbers(), at, field.hidden, c, above);
      }
    }
  });
}

struct Cuda : FieldOnDevice {
  using FieldOnDevice::FieldOnDevice;

  template <typename T, typename Stored>
  void forward(const FieldPointers<T, Stored>& in, int64_t each, const T* points, T* density, bool* valid) const {
    run("field_density", ask<T, Stored>, in.size.batch * each * WARP, in, each, points, density, valid);
  }

  template <typename T, typename Stored>
  void backward(const FieldPointers<T, Stored>& in, int64_t each, const T* points, const T* grad, const ToField<T>& to) const {
    run_summing("field_density_backward", ask_backward<T, Stored>, in.size, in.size.batch * each, to, in, each, points, grad, to.folded);
  }
};

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(scene3d, CUDA, m) {
  m.impl("field_density", TORCH_BOX(&field_density<Cuda>));
  m.impl("field_density_backward", TORCH_BOX(&field_density_backward<Cuda>));
}

}  // namespace scene3d
