// march_field on the CPU: rays shared out over threads.
#include "march_field_frame.h"
#include "pixel_field_cpu.h"

namespace scene3d {
namespace {

constexpr int64_t RAYS_A_THREAD = 8;

// Memory of a thread for one ray's samples.
template <typename T>
struct RayBlock {
  FieldBlock<T> block;
  std::vector<T> points, worth, through;

  RayBlock(const FieldNetwork<T>& network, const FieldSizes& s, int64_t samples)
      : block(network, s, samples), points(3 * samples), worth(samples), through(samples) {}

  void look(const PixelField<T>& field, const MarchRay<T>& ray) {
    for (int64_t s = 0; s < ray.samples; ++s) ray.point(s, points.data() + 3 * s);
    block.look(field, points.data(), ray.samples);
  }
};

struct Cpu : FieldOnHost {
  using FieldOnHost::FieldOnHost;

  template <typename T>
  void forward(const FieldPointers<T>& field, const MarchPointers<T>& in, const Marched<T>& out) const {
    const MarchSizes& m = in.size;
    const int64_t hidden = field.size.hidden;
    const FieldNetwork<T> network(field);
    torch::stable::parallel_for(0, m.batch * m.rays, RAYS_A_THREAD, [&](int64_t begin, int64_t end) {
      RayBlock<T> here(network, field.size, m.samples);
      const FieldBlock<T>& block = here.block;
      std::vector<T> sum(network.columns);
      for (int64_t index = begin; index < end; ++index) {
        const MarchRay<T> ray = in.ray(index);
        const int64_t scene = index / m.rays;
        here.look(field.scene(scene), ray);
        T *dense = out.density + index * m.samples, *weight = out.weights + index * m.samples;
        std::fill(sum.begin(), sum.end(), T(0));
        T through = 1, outside = 0;
        for (int64_t at = 0; at < m.samples; ++at) {
          dense[at] = softplus(block.logit[at]);
          const T opacity = ray.opacity(at, dense[at]);
          weight[at] = through * opacity;
          through *= 1 - opacity;
          if (!block.valid[at]) outside += weight[at];
          const T* row = block.hidden.data() + at * network.columns;
          for (int64_t c = 0; c < network.columns; ++c) sum[c] += weight[at] * row[c];
        }
        out.unknown[index] = outside;
        std::copy_n(sum.data(), hidden, out.hidden + index * hidden);
        for (int64_t view = scene * m.views; view < (scene + 1) * m.views; ++view) {
          const int64_t to = view * m.rays + index % m.rays;
          look_along_ray<3>(in.view(view), here.points.data(), weight, m.samples, 3, out.colour + 3 * to, out.share + to);
        }
      }
    });
  }

  template <typename T>
  void backward(const FieldPointers<T>& field, const MarchPointers<T>& in, const Marched<const T>& above,
                const ToField<T>& to) const {
    const MarchSizes& m = in.size;
    const FieldNetwork<T> network(field);
    const int64_t each = std::max<int64_t>(512 / m.samples, 1);  // rays that a thread adds up before the map has its turn
    FieldGradient<T> gradient(field.size, network, each * m.samples);
    const auto memory = [&] { return RayBlock<T>(network, field.size, m.samples); };
    gradient.add_all(m.batch * m.rays, each, to, memory, [&](RayBlock<T>& here, int64_t part, int64_t index) {
      const T* hidden = above.hidden + index * field.size.hidden;
      ray_backward(field, in, above, hidden, index, here);
      gradient.add(
          part, index / m.rays, here.block, m.samples, [&](int64_t at) { return here.worth[at]; },
          [&](int64_t at, T* row) {
            for (int64_t c = 0; c < field.size.hidden; ++c) row[c] += here.through[at] * hidden[c];
          });
    });
  }

 private:
  // Looks again along a ray; then `worth` is the gradient of the logits, and `through` holds the weights.
  template <typename T>
  static void ray_backward(const FieldPointers<T>& field, const MarchPointers<T>& in, const Marched<const T>& above,
                           const T* hidden, int64_t index, RayBlock<T>& here) {
    const MarchSizes& m = in.size;
    const MarchRay<T> ray = in.ray(index);
    const int64_t scene = index / m.rays, first = index * m.samples;
    const FieldBlock<T>& block = here.block;
    here.look(field.scene(scene), ray);
    std::copy_n(above.weights + first, m.samples, here.worth.data());
    for (int64_t view = scene * m.views; view < (scene + 1) * m.views; ++view) {
      const int64_t from = view * m.rays + index % m.rays;
      look_along_ray_backward<3>(in.view(view), here.points.data(), m.samples, 3, above.colour + 3 * from, above.share[from],
                                 here.worth.data());
    }
    const T outside = above.unknown[index];
    T light = 1;
    for (int64_t at = 0; at < m.samples; ++at) {
      const T* row = block.hidden.data() + at * block.network.columns;
      T along = 0;
#pragma omp simd reduction(+ : along)
      for (int64_t c = 0; c < field.size.hidden; ++c) along += row[c] * hidden[c];
      here.worth[at] += along + (block.valid[at] ? T(0) : outside);
      here.through[at] = light;
      light *= 1 - ray.opacity(at, softplus(block.logit[at]));
    }
    march_backward(ray, above.density + first, block.logit.data(), reinterpret_cast<const bool*>(block.valid.data()),
                   here.worth.data(), here.through.data());
  }
};

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(scene3d, CPU, m) {
  m.impl("march_field", TORCH_BOX(&march_field<Cpu>));
  m.impl("march_field_backward", TORCH_BOX(&march_field_backward<Cpu>));
}

}  // namespace scene3d
