// neus_composite on the CPU: a ray at a time, rays shared out over threads.
#include "feature_rows.h"
#include "neus_composite_frame.h"

namespace scene3d {
namespace {

constexpr int64_t RAYS_A_THREAD = 32;

struct Cpu : OnHost {
  using OnHost::OnHost;

  template <typename T, typename Stored>
  void forward(const NeusRays<T, Stored>& in, const Composited<T>& out) const {
    const PackedSamples<T, Stored>& all = in.samples;
    const T sharp = *in.sharpness;
    with_count<1, 3, 4, 8, 16, 32, 64>(all.size.channels, [&](auto channels) {
      torch::stable::parallel_for(0, all.size.rays, RAYS_A_THREAD, [&](int64_t begin, int64_t end) {
        std::vector<T> alpha;
        for (int64_t ray = begin; ray < end; ++ray) {
          const int64_t first = all.offsets[ray], count = all.offsets[ray + 1] - first;
          alpha.resize(count);
          neus_composite_ray<channels()>(in.sections.from(first), sharp, in.anneal, alpha.data(), all.ray(first, count),
                                         OneLane{}, out.features + ray * all.size.channels, out.distance + ray,
                                         out.opacity + ray, out.weights + first);
        }
      });
    });
  }

  template <typename T, typename Stored>
  void backward(const NeusRays<T, Stored>& in, const CompositedAbove<T>& above, const ToNeusRays<T>& to) const {
    const PackedSamples<T, Stored>& all = in.samples;
    const T sharp = *in.sharpness;
    const int64_t width = all.size.channels;
    const bool past = past_the_cache(to.features, all.size.samples * width);
    std::vector<double> sums(all.size.rays);  // added up in order, whatever the number of threads
    with_count<1, 3, 4, 8, 16, 32, 64>(width, [&](auto channels) {
      torch::stable::parallel_for(0, all.size.rays, RAYS_A_THREAD, [&](int64_t begin, int64_t end) {
        std::vector<T> alpha, to_alpha;
        for (int64_t ray = begin; ray < end; ++ray) {
          const int64_t first = all.offsets[ray], count = all.offsets[ray + 1] - first;
          alpha.resize(count);
          to_alpha.resize(count);
          const RayGradients<T> grad = above.ray(ray, first, width);
          sums[ray] = neus_composite_ray_backward<channels()>(
              in.sections.from(first), sharp, in.anneal, alpha.data(), to_alpha.data(), all.ray(first, count), grad, OneLane{},
              to.sections.from(first), FeatureRows<channels(), T>{to.features + first * width, grad.seen, width, past},
              to.distances + first);
        }
        finish_writes();
      });
    });
    double total = 0;
    for (double sum : sums) total += sum;
    *to.sharpness = T(total);
  }
};

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(scene3d, CPU, m) {
  m.impl("neus_composite", TORCH_BOX(&neus_composite<Cpu>));
  m.impl("neus_composite_backward", TORCH_BOX(&neus_composite_backward<Cpu>));
}

}  // namespace scene3d
