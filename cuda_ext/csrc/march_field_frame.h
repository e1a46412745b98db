// march_field from tensors to results, the same on every device; a driver loops over rays.
#pragma once

#include "march_field.h"
#include "pixel_field_frame.h"

namespace scene3d {

struct MarchSizes {
  int64_t batch, rays, samples, views, height, width;
};

template <typename T>
struct MarchPointers {
  MarchSizes size;
  const T *origins, *directions, *distances, *images, *to_pixels;
  const bool* shown;
  bool capped;

  S3D_HD MarchRay<T> ray(int64_t index) const {
    return {origins + index * 3, directions + index * 3, distances + index * size.samples, size.samples, capped};
  }

  // View v of scene b is view b views + v.
  S3D_HD View<T> view(int64_t index) const {
    const int64_t cells = size.height * size.width;
    return {images + index * cells * 3, to_pixels + index * 12, shown ? shown + index * cells : nullptr, size.height, size.width};
  }
};

// Results, or (const) the gradients of them.
template <typename T>
struct Marched {
  T *density, *weights, *unknown, *hidden, *colour, *share;
};

// The other tensors of the operator.
struct MarchTensors {
  const Tensor &origins, &directions, &distances, &images, &to_pixels;
  const Maybe& shown;
  bool capped;

  MarchSizes check(const char* op, const Tensor& K) const {
    const int64_t batch = K.size(0);
    check_shape(op, "distances", distances, {batch, -1, -1});
    const int64_t rays = distances.size(1), samples = distances.size(2);
    STD_TORCH_CHECK(samples > 0, op, ": distances: expected at least one sample a ray, got shape ", shape_of(distances));
    check_shape(op, "origins", origins, {batch, rays, 3});
    check_shape(op, "directions", directions, {batch, rays, 3});
    check_shape(op, "images", images, {batch, -1, -1, -1, 3});
    const int64_t views = images.size(1), height = images.size(2), width = images.size(3);
    STD_TORCH_CHECK(views == 0 || (height > 0 && width > 0), op, ": images: expected at least one pixel, got shape ",
                    shape_of(images));
    check_shape(op, "to_pixels", to_pixels, {batch, views, 3, 4});
    check_like(op,
               {{"origins", origins}, {"directions", directions}, {"distances", distances}, {"images", images},
                {"to_pixels", to_pixels}},
               K, "K");
    if (shown) {
      check_shape(op, "shown", *shown, {batch, views, height, width});
      check_type(op, "shown", *shown, Type::Bool);
    }
    return {batch, rays, samples, views, height, width};
  }

  template <typename T>
  MarchPointers<T> pointers(Rows& rows, const MarchSizes& m) const {
    return {m, rows.of<T>(origins), rows.of<T>(directions), rows.of<T>(distances), rows.of<T>(images), rows.of<T>(to_pixels),
            rows.of<bool>(shown), capped};
  }
};

template <typename Driver>
std::tuple<Tensor, Tensor, Tensor, Tensor, Tensor, Tensor> march_field(
    const Tensor& folded, const Tensor& K, const Tensor& from_position, const Tensor& to_density, const Tensor& bias,
    const Tensor& origins, const Tensor& directions, const Tensor& distances, const Tensor& images, const Tensor& to_pixels,
    const Maybe& shown, int64_t height, int64_t width, double near, double far, bool capped) {
  const char* op = "march_field";
  const FieldTensors field{folded, K, from_position, to_density, bias, {height, width, near, far}};
  const MarchTensors in{origins, directions, distances, images, to_pixels, shown, capped};
  const FieldSizes s = field.check(op);
  const MarchSizes m = in.check(op, K);
  Tensor density = empty(K, {m.batch, m.rays, m.samples}), weights = empty(K, {m.batch, m.rays, m.samples});
  Tensor unknown = empty(K, {m.batch, m.rays}), hidden = empty(K, {m.batch, m.rays, s.hidden});
  Tensor colour = empty(K, {m.batch, m.views, m.rays, 3}), share = empty(K, {m.batch, m.views, m.rays});
  const Driver on(K);
  on.check_field(op, s);
  with_types<Driver>(K, folded, [&]<typename T, typename Stored>(T, Stored) {
    Rows rows;
    on.forward(field.pointers<T, Stored>(rows, s, on.first_layer(from_position)), in.pointers<T>(rows, m),
               Marched<T>{write<T>(density), write<T>(weights), write<T>(unknown), write<T>(hidden), write<T>(colour),
                          write<T>(share)});
  });
  return {density, weights, unknown, hidden, colour, share};
}

template <typename Driver>
std::tuple<Tensor, Tensor, Tensor, Tensor> march_field_backward(
    const Tensor& grad_density, const Tensor& grad_weights, const Tensor& grad_unknown, const Tensor& grad_hidden,
    const Tensor& grad_colour, const Tensor& grad_share, const Tensor& folded, const Tensor& K, const Tensor& from_position,
    const Tensor& to_density, const Tensor& bias, const Tensor& origins, const Tensor& directions, const Tensor& distances,
    const Tensor& images, const Tensor& to_pixels, const Maybe& shown, int64_t height, int64_t width, double near, double far,
    bool capped) {
  const char* op = "march_field_backward";
  const FieldTensors field{folded, K, from_position, to_density, bias, {height, width, near, far}};
  const MarchTensors in{origins, directions, distances, images, to_pixels, shown, capped};
  const FieldSizes s = field.check(op);
  const MarchSizes m = in.check(op, K);
  check_shape(op, "grad_density", grad_density, {m.batch, m.rays, m.samples});
  check_shape(op, "grad_weights", grad_weights, {m.batch, m.rays, m.samples});
  check_shape(op, "grad_unknown", grad_unknown, {m.batch, m.rays});
  check_shape(op, "grad_hidden", grad_hidden, {m.batch, m.rays, s.hidden});
  check_shape(op, "grad_colour", grad_colour, {m.batch, m.views, m.rays, 3});
  check_shape(op, "grad_share", grad_share, {m.batch, m.views, m.rays});
  check_like(op,
             {{"grad_density", grad_density}, {"grad_weights", grad_weights}, {"grad_unknown", grad_unknown},
              {"grad_hidden", grad_hidden}, {"grad_colour", grad_colour}, {"grad_share", grad_share}},
             K, "K");
  FieldGradients to(K, s);
  const Driver on(K);
  on.check_field(op, s);
  with_types<Driver>(K, folded, [&]<typename T, typename Stored>(T, Stored) {
    Rows rows;
    const Marched<const T> above{rows.of<T>(grad_density), rows.of<T>(grad_weights), rows.of<T>(grad_unknown),
                                 rows.of<T>(grad_hidden),  rows.of<T>(grad_colour),  rows.of<T>(grad_share)};
    on.backward(field.pointers<T, Stored>(rows, s, on.first_layer(from_position)), in.pointers<T>(rows, m), above,
                to.pointers<T>());
  });
  return to.all();
}

}  // namespace scene3d
