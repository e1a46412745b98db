// sample_views on the CPU. Backward to the maps is deterministic: each thread owns some rows of the maps, and
// walks all positions in order.
#include <algorithm>

#include "sample_views_checks.h"

namespace scene3d {
namespace {

constexpr int64_t POSITIONS_A_THREAD = 256;

template <typename T, typename Body>
void each_position(const ViewSizes& shape, const T* pixels, const Body& body) {
  torch::stable::parallel_for(0, shape.views * shape.positions, POSITIONS_A_THREAD, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const auto corners = corners_at(pixels[2 * i], pixels[2 * i + 1], shape.height, shape.width);
      body(i, i / shape.positions * shape.height * shape.width, corners);
    }
  });
}

Tensor forward(const Tensor& maps, const Tensor& pixels) {
  const ViewSizes shape = view_sizes("sample_views", maps, pixels);
  const Tensor map = rows(maps), place = rows(pixels);
  Tensor out = empty_like_shape(map, {shape.views, shape.positions, shape.channels});
  with_scalar(map, [&](auto zero) {
    using T = decltype(zero);
    const T* table = read<T>(map);
    T* to = write<T>(out);
    const int64_t channels = shape.channels;
    each_position(shape, read<T>(place),
                  [&](int64_t i, int64_t first, const Corners<T>& corners) {
                    T w[4];
                    corners.weights(w);
                    const T* a = table + (first + corners.cell[0]) * channels;
                    const T* b = table + (first + corners.cell[1]) * channels;
                    const T* c = table + (first + corners.cell[2]) * channels;
                    const T* d = table + (first + corners.cell[3]) * channels;
                    T* value = to + i * channels;
                    for (int64_t k = 0; k < channels; ++k) value[k] = w[0] * a[k] + w[1] * b[k] + w[2] * c[k] + w[3] * d[k];
                  });
  });
  return out;
}

Tensor map_backward(const Tensor& grad, const Tensor& maps, const Tensor& pixels) {
  const char* op = "sample_views_map_backward";
  const ViewSizes shape = view_sizes(op, maps, pixels);
  check_shape(op, "grad", grad, {shape.views, shape.positions, shape.channels});
  check_like(op, "grad", grad, maps, "maps");
  const Tensor from_above = rows(grad), place = rows(pixels);
  Tensor out = torch::stable::new_zeros(maps, std::vector<int64_t>{shape.views, shape.height, shape.width, shape.channels});
  with_scalar(maps, [&](auto zero) {
    using T = decltype(zero);
    const T* g = read<T>(from_above);
    const T* at = read<T>(place);
    T* table = write<T>(out);
    const int64_t channels = shape.channels, cells = shape.height * shape.width;
    const int64_t owners = std::min<int64_t>(torch::stable::get_num_threads(), std::max<int64_t>(shape.views * shape.height, 1));
    torch::stable::parallel_for(0, owners, 1, [&](int64_t begin, int64_t end) {
      for (int64_t owner = begin; owner < end; ++owner) {
        const int64_t first_row = owner * shape.views * shape.height / owners;
        const int64_t last_row = (owner + 1) * shape.views * shape.height / owners;
        const int64_t from = first_row * shape.width, to = last_row * shape.width;
        for (int64_t i = 0; i < shape.views * shape.positions; ++i) {
          const int64_t view = i / shape.positions * cells;
          if (view >= to || view + cells <= from) continue;
          const auto corners = corners_at(at[2 * i], at[2 * i + 1], shape.height, shape.width);
          T w[4];
          corners.weights(w);
          for (int k = 0; k < 4; ++k) {
            const int64_t cell = view + corners.cell[k];
            if (cell < from || cell >= to) continue;
            T* row = table + cell * channels;
            const T* value = g + i * channels;
            for (int64_t c = 0; c < channels; ++c) row[c] += w[k] * value[c];
          }
        }
      }
    });
  });
  return out;
}

Tensor pixel_backward(const Tensor& grad, const Tensor& maps, const Tensor& pixels) {
  const char* op = "sample_views_pixel_backward";
  const ViewSizes shape = view_sizes(op, maps, pixels);
  check_shape(op, "grad", grad, {shape.views, shape.positions, shape.channels});
  check_like(op, "grad", grad, maps, "maps");
  const Tensor map = rows(maps), from_above = rows(grad), place = rows(pixels);
  Tensor out = torch::stable::empty_like(place);
  with_scalar(map, [&](auto zero) {
    using T = decltype(zero);
    const T* table = read<T>(map);
    const T* g = read<T>(from_above);
    T* slope = write<T>(out);
    const int64_t channels = shape.channels;
    each_position(shape, read<T>(place),
                  [&](int64_t i, int64_t first, const Corners<T>& corners) {
                    T along[4] = {0, 0, 0, 0};
                    for (int k = 0; k < 4; ++k) {
                      const T* value = table + (first + corners.cell[k]) * channels;
                      for (int64_t c = 0; c < channels; ++c) along[k] += value[c] * g[i * channels + c];
                    }
                    const T right = (along[1] - along[0]) * (1 - corners.y) + (along[3] - along[2]) * corners.y;
                    const T down = (along[2] - along[0]) * (1 - corners.x) + (along[3] - along[1]) * corners.x;
                    slope[2 * i] = corners.slope_x ? right : T(0);
                    slope[2 * i + 1] = corners.slope_y ? down : T(0);
                  });
  });
  return out;
}

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(scene3d, CPU, m) {
  m.impl("sample_views", TORCH_BOX(&forward));
  m.impl("sample_views_map_backward", TORCH_BOX(&map_backward));
  m.impl("sample_views_pixel_backward", TORCH_BOX(&pixel_backward));
}

}  // namespace scene3d
