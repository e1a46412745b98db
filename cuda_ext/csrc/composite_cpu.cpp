// composite on the CPU: a ray at a time, rays shared out over threads.
#include "composite_frame.h"
#include "feature_rows.h"

namespace scene3d {
namespace {

constexpr int64_t RAYS_A_THREAD = 32;

struct Cpu : OnHost {
  using OnHost::OnHost;

  template <typename T, typename Stored>
  void forward(const PackedSamples<T, Stored>& in, const Composited<T>& out) const {
    const int64_t width = in.size.channels;
    with_count<1, 3, 4, 8, 16, 32, 64>(width, [&](auto channels) {
      torch::stable::parallel_for(0, in.size.rays, RAYS_A_THREAD, [&](int64_t begin, int64_t end) {
        for (int64_t ray = begin; ray < end; ++ray) {
          const int64_t first = in.offsets[ray], count = in.offsets[ray + 1] - first;
          composite_ray<channels()>(in.ray(first, count), OneLane{}, out.features + ray * width, out.distance + ray,
                                    out.opacity + ray, out.weights + first);
        }
      });
    });
  }

  template <typename T, typename Stored>
  void backward(const PackedSamples<T, Stored>& in, const CompositedAbove<T>& above, const ToSamples<T>& to) const {
    const int64_t width = in.size.channels;
    const bool past = past_the_cache(to.features, in.size.samples * width);
    with_count<1, 3, 4, 8, 16, 32, 64>(width, [&](auto channels) {
      torch::stable::parallel_for(0, in.size.rays, RAYS_A_THREAD, [&](int64_t begin, int64_t end) {
        for (int64_t ray = begin; ray < end; ++ray) {
          const int64_t first = in.offsets[ray], count = in.offsets[ray + 1] - first;
          const RayGradients<T> grad = above.ray(ray, first, width);
          composite_ray_backward<channels()>(in.ray(first, count), grad, OneLane{}, to.opacity + first,
                                             FeatureRows<channels(), T>{to.features + first * width, grad.seen, width, past},
                                             to.distances + first, to.lengths ? to.lengths + first : nullptr);
        }
        finish_writes();
      });
    });
  }
};

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(scene3d, CPU, m) {
  m.impl("composite", TORCH_BOX(&composite<Cpu>));
  m.impl("composite_backward", TORCH_BOX(&composite_backward<Cpu>));
}

}  // namespace scene3d
