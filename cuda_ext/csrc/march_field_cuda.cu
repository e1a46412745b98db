// march_field on CUDA: a warp a ray, its lanes share out the hidden layer; then, sample by sample, the views.
#include "march_field_frame.h"
#include "pixel_field.cuh"

namespace scene3d {
namespace {

template <typename T, typename Stored>
__global__ void march(FieldPointers<T, Stored> fields, MarchPointers<T> in, Marched<T> out) {
  const WarpLanes lanes;
  const MarchSizes& m = in.size;
  for (int64_t index = first_thread() / WARP; index < m.batch * m.rays; index += all_threads() / WARP) {
    const int64_t scene = index / m.rays;
    const MarchRay<T> ray = in.ray(index);
    T* weight = out.weights + index * m.samples;
    march_ray(fields.scene(scene), ray, lanes, out.density + index * m.samples, weight, out.unknown + index,
              out.hidden + index * fields.size.hidden);
    lanes.wait();
    for (int64_t view = scene * m.views; view < (scene + 1) * m.views; ++view) {
      const View<T> from = in.view(view);
      T sum[3] = {0, 0, 0}, seen = 0;
      for (int64_t s = lanes.lane(); s < m.samples; s += WARP) {
        T point[3], one[3], part;
        ray.point(s, point);
        look_along_ray<3>(from, point, weight + s, 1, 3, one, &part);
        for (int c = 0; c < 3; ++c) sum[c] += one[c];
        seen += part;
      }
      for (int c = 0; c < 3; ++c) sum[c] = lanes.sum(sum[c]);
      seen = lanes.sum(seen);
      const int64_t to = view * m.rays + index % m.rays;
      if (lanes.lane() < 3) out.colour[3 * to + lanes.lane()] = sum[lanes.lane()];
      if (lanes.lane() == 0) out.share[to] = seen;
    }
  }
}

// A number a sample, for each sample.
template <typename T>
struct Scratch {
  T *logit, *worth, *through;
  bool* valid;
};

template <typename T, typename Stored>
__global__ void march_back(FieldPointers<T, Stored> fields, MarchPointers<T> in, Marched<const T> above, Scratch<T> scratch, T* to_map,
                           T* sums, bool shared) {
  with_network_sums<T>(fields.size, shared, sums, [&](const NetworkSums<T>& network) {
    const WarpLanes lanes;
    const MarchSizes& m = in.size;
    const int64_t hidden = fields.size.hidden;
    for (int64_t index = first_thread() / WARP; index < m.batch * m.rays; index += all_threads() / WARP) {
      const int64_t scene = index / m.rays, first = index * m.samples;
      const MarchRay<T> ray = in.ray(index);
      for (int64_t s = lanes.lane(); s < m.samples; s += WARP) {
        T point[3], worth = above.weights[first + s];
        ray.point(s, point);
        for (int64_t view = scene * m.views; view < (scene + 1) * m.views; ++view) {
          const int64_t from = view * m.rays + index % m.rays;
          look_along_ray_backward<3>(in.view(view), point, 1, 3, above.colour + 3 * from, above.share[from], &worth);
        }
        scratch.worth[first + s] = worth;
      }
      lanes.wait();
      const MarchGradients<T> grad{above.density + first, above.weights + first, above.unknown[index], above.hidden + index * hidden};
      march_ray_backward(fields.scene(scene), ray, grad, lanes, scratch.logit + first, scratch.valid + first, scratch.worth + first,
                         scratch.through + first,
                         [&](const LaneSample<T, WarpLanes>& at, int64_t channel, T to_logit, T value, T before) {
                           network.add(at.code, channel, to_logit, value, before);
                           add_to_corners(to_map + scene * fields.size.map_numbers(), at, hidden, channel, before);
                         });
    }
  });
}

struct Cuda : FieldOnDevice {
  using FieldOnDevice::FieldOnDevice;

  template <typename T, typename Stored>
  void forward(const FieldPointers<T, Stored>& fields, const MarchPointers<T>& in, const Marched<T>& out) const {
    run("march_field", march<T, Stored>, in.size.batch * in.size.rays * WARP, fields, in, out);
  }

  template <typename T, typename Stored>
  void backward(const FieldPointers<T, Stored>& fields, const MarchPointers<T>& in, const Marched<const T>& above,
                const ToField<T>& to) const {
    const int64_t rays = in.size.batch * in.size.rays, all = rays * in.size.samples;
    Tensor logit = scratch(all), worth = scratch(all), through = scratch(all), valid = scratch(all, Type::Bool);
    const Scratch<T> memory{write<T>(logit), write<T>(worth), write<T>(through), write<bool>(valid)};
    run_summing("march_field_backward", march_back<T, Stored>, fields.size, rays, to, fields, in, above, memory, to.folded);
  }
};

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(scene3d, CUDA, m) {
  m.impl("march_field", TORCH_BOX(&march_field<Cuda>));
  m.impl("march_field_backward", TORCH_BOX(&march_field_backward<Cuda>));
}

}  // namespace scene3d
