// march_field on CUDA: a warp a ray, its lanes share out the hidden layer; then, sample by sample, the views.
#include <tuple>

#include "march_field_checks.h"
#include "pixel_field.cuh"

namespace scene3d {
namespace {

using Maybe = std::optional<Tensor>;

template <typename T>
__global__ void march(FieldPointers<T> fields, MarchPointers<T> in, T* density, T* weights, T* unknown, T* hidden, T* colour,
                      T* share) {
  const WarpLanes lanes;
  const MarchSizes& m = in.size;
  for (int64_t index = first_thread() / WARP; index < m.field.batch * m.rays; index += all_threads() / WARP) {
    const int64_t scene = index / m.rays;
    const MarchRay<T> ray = in.ray(index);
    T* weight = weights + index * m.samples;
    march_ray(fields.scene(scene), ray, lanes, density + index * m.samples, weight, unknown + index, hidden + index * m.field.hidden);
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
      if (lanes.lane() < 3) colour[3 * to + lanes.lane()] = sum[lanes.lane()];
      if (lanes.lane() == 0) share[to] = seen;
    }
  }
}

template <typename T>
struct Above {
  const T *density, *weights, *unknown, *hidden, *colour, *share;
};

// A number a sample, for each sample.
template <typename T>
struct Scratch {
  T *logit, *worth, *through;
  bool* valid;
};

template <typename T>
__global__ void march_back(FieldPointers<T> fields, MarchPointers<T> in, Above<T> above, Scratch<T> scratch, T* to_map, T* sums,
                           bool shared) {
  with_network_sums<T>(fields.size, shared, sums, [&](const NetworkSums<T>& network) {
    const WarpLanes lanes;
    const MarchSizes& m = in.size;
    const int64_t hidden = m.field.hidden, numbers = m.field.map_height * m.field.map_width * hidden;
    for (int64_t index = first_thread() / WARP; index < m.field.batch * m.rays; index += all_threads() / WARP) {
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
                           add_to_corners(to_map + scene * numbers, at, hidden, channel, before);
                         });
    }
  });
}

std::tuple<Tensor, Tensor, Tensor, Tensor, Tensor, Tensor> forward(
    const Tensor& folded, const Tensor& K, const Tensor& from_position, const Tensor& to_density, const Tensor& bias,
    const Tensor& origins, const Tensor& directions, const Tensor& distances, const Tensor& images, const Tensor& to_pixels,
    const Maybe& shown, int64_t height, int64_t width, double near, double far, bool capped) {
  const char* op = "march_field";
  const Extent extent{height, width, near, far};
  const FieldSizes s = field_sizes(op, folded, K, from_position, to_density, bias, extent);
  const MarchSizes m = march_sizes(op, s, folded, origins, directions, distances, images, to_pixels, shown);
  check_lanes(op, s);
  const OnDeviceOf device(folded);
  const Tensor map = rows(folded), k = rows(K), w = transposed(from_position), d = rows(to_density), o = rows(origins);
  const Tensor v = rows(directions), t = rows(distances), i = rows(images), x = rows(to_pixels);
  const Maybe visible = shown ? Maybe(rows(*shown)) : Maybe();
  Tensor density = empty_like_shape(map, {s.batch, m.rays, m.samples}), weights = empty_like_shape(map, {s.batch, m.rays, m.samples});
  Tensor unknown = empty_like_shape(map, {s.batch, m.rays}), hidden = empty_like_shape(map, {s.batch, m.rays, s.hidden});
  Tensor colour = empty_like_shape(map, {s.batch, m.views, m.rays, 3}), share = empty_like_shape(map, {s.batch, m.views, m.rays});
  with_scalar(map, [&](auto zero) {
    using T = decltype(zero);
    const FieldPointers<T> fields{s, extent, read<T>(map), read<T>(k), read<T>(w), read<T>(d), read<T>(bias)};
    const MarchPointers<T> in{m, read<T>(o), read<T>(v), read<T>(t), read<T>(i), read<T>(x), visible ? read<bool>(*visible) : nullptr, capped};
    device.run(op, march<T>, s.batch * m.rays * WARP, fields, in, write<T>(density), write<T>(weights), write<T>(unknown),
               write<T>(hidden), write<T>(colour), write<T>(share));
  });
  return {density, weights, unknown, hidden, colour, share};
}

std::tuple<Tensor, Tensor, Tensor, Tensor> backward(
    const Tensor& grad_density, const Tensor& grad_weights, const Tensor& grad_unknown, const Tensor& grad_hidden,
    const Tensor& grad_colour, const Tensor& grad_share, const Tensor& folded, const Tensor& K, const Tensor& from_position,
    const Tensor& to_density, const Tensor& bias, const Tensor& origins, const Tensor& directions, const Tensor& distances,
    const Tensor& images, const Tensor& to_pixels, const Maybe& shown, int64_t height, int64_t width, double near, double far,
    bool capped) {
  const char* op = "march_field_backward";
  const Extent extent{height, width, near, far};
  const FieldSizes s = field_sizes(op, folded, K, from_position, to_density, bias, extent);
  const MarchSizes m = march_sizes(op, s, folded, origins, directions, distances, images, to_pixels, shown);
  check_lanes(op, s);
  check_march_gradients(op, m, folded, grad_density, grad_weights, grad_unknown, grad_hidden, grad_colour, grad_share);
  const OnDeviceOf device(folded);
  const Tensor map = rows(folded), k = rows(K), w = transposed(from_position), d = rows(to_density), o = rows(origins);
  const Tensor v = rows(directions), t = rows(distances), i = rows(images), x = rows(to_pixels);
  const Tensor gd = rows(grad_density), gw = rows(grad_weights), gu = rows(grad_unknown), gh = rows(grad_hidden);
  const Tensor gc = rows(grad_colour), gs = rows(grad_share);
  const Maybe visible = shown ? Maybe(rows(*shown)) : Maybe();
  const std::vector<int64_t> all{s.batch, m.rays, m.samples};
  Tensor logit = empty_like_shape(map, all), worth = empty_like_shape(map, all), through = empty_like_shape(map, all);
  Tensor valid = torch::stable::new_empty(map, all, Type::Bool);
  Tensor to_map = torch::stable::new_zeros(map, std::vector<int64_t>{s.batch, s.map_height, s.map_width, s.hidden});
  Tensor sums = torch::stable::new_zeros(map, std::vector<int64_t>{network_numbers(s)});
  with_scalar(map, [&](auto zero) {
    using T = decltype(zero);
    const FieldPointers<T> fields{s, extent, read<T>(map), read<T>(k), read<T>(w), read<T>(d), read<T>(bias)};
    const MarchPointers<T> in{m, read<T>(o), read<T>(v), read<T>(t), read<T>(i), read<T>(x), visible ? read<bool>(*visible) : nullptr, capped};
    const Above<T> above{read<T>(gd), read<T>(gw), read<T>(gu), read<T>(gh), read<T>(gc), read<T>(gs)};
    const Scratch<T> scratch{write<T>(logit), write<T>(worth), write<T>(through), write<bool>(valid)};
    const int64_t shared = shared_bytes<T>(s);
    device.run_in(op, march_back<T>, s.batch * m.rays * WARP, MOST_SUMMING_BLOCKS, shared, fields, in, above, scratch,
                  write<T>(to_map), write<T>(sums), shared > 0);
  });
  return field_gradients(s, to_map, sums);
}

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(scene3d, CUDA, m) {
  m.impl("march_field", TORCH_BOX(&forward));
  m.impl("march_field_backward", TORCH_BOX(&backward));
}

}  // namespace scene3d
