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

struct MarchArguments {
  MarchSizes size;
  Tensor origins, directions, distances, images, to_pixels;
  Maybe shown;
  bool capped;

  MarchArguments(const char* op, const Tensor& K, const Tensor& origins_, const Tensor& directions_, const Tensor& distances_,
                 const Tensor& images_, const Tensor& to_pixels_, const Maybe& shown_, bool capped_)
      : capped(capped_) {
    const int64_t batch = K.size(0);
    check_shape(op, "distances", distances_, {batch, -1, -1});
    const int64_t rays_ = distances_.size(1), samples = distances_.size(2);
    STD_TORCH_CHECK(samples > 0, op, ": distances: expected at least one sample a ray, got shape ", shape_of(distances_));
    check_shape(op, "origins", origins_, {batch, rays_, 3});
    check_shape(op, "directions", directions_, {batch, rays_, 3});
    check_shape(op, "images", images_, {batch, -1, -1, -1, 3});
    const int64_t views = images_.size(1), height = images_.size(2), width = images_.size(3);
    STD_TORCH_CHECK(views == 0 || (height > 0 && width > 0), op, ": images: expected at least one pixel, got shape ",
                    shape_of(images_));
    check_shape(op, "to_pixels", to_pixels_, {batch, views, 3, 4});
    check_like(op,
               {{"origins", origins_}, {"directions", directions_}, {"distances", distances_}, {"images", images_},
                {"to_pixels", to_pixels_}},
               K, "K");
    if (shown_) {
      check_shape(op, "shown", *shown_, {batch, views, height, width});
      check_type(op, "shown", *shown_, Type::Bool, "bool");
    }
    size = {batch, rays_, samples, views, height, width};
    origins = rows(origins_), directions = rows(directions_), distances = rows(distances_), images = rows(images_);
    to_pixels = rows(to_pixels_), shown = rows(shown_);
  }

  template <typename T>
  MarchPointers<T> pointers() const {
    return {size,           read<T>(origins),   read<T>(directions), read<T>(distances),
            read<T>(images), read<T>(to_pixels), read<bool>(shown),   capped};
  }
};

template <typename Driver>
std::tuple<Tensor, Tensor, Tensor, Tensor, Tensor, Tensor> march_field(
    const Tensor& folded, const Tensor& K, const Tensor& from_position, const Tensor& to_density, const Tensor& bias,
    const Tensor& origins, const Tensor& directions, const Tensor& distances, const Tensor& images, const Tensor& to_pixels,
    const Maybe& shown, int64_t height, int64_t width, double near, double far, bool capped) {
  const char* op = "march_field";
  const FieldArguments<Driver> field(op, folded, K, from_position, to_density, bias, {height, width, near, far});
  const MarchArguments in(op, K, origins, directions, distances, images, to_pixels, shown, capped);
  const MarchSizes& m = in.size;
  Tensor density = empty(K, {m.batch, m.rays, m.samples}), weights = empty(K, {m.batch, m.rays, m.samples});
  Tensor unknown = empty(K, {m.batch, m.rays}), hidden = empty(K, {m.batch, m.rays, field.size.hidden});
  Tensor colour = empty(K, {m.batch, m.views, m.rays, 3}), share = empty(K, {m.batch, m.views, m.rays});
  const Driver on(K);
  with_scalar(K, [&](auto zero) {
    using T = decltype(zero);
    on.forward(field.template pointers<T>(), in.pointers<T>(),
               Marched<T>{write<T>(density), write<T>(weights), write<T>(unknown), write<T>(hidden), write<T>(colour), write<T>(share)});
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
  const FieldArguments<Driver> field(op, folded, K, from_position, to_density, bias, {height, width, near, far});
  const MarchArguments in(op, K, origins, directions, distances, images, to_pixels, shown, capped);
  const MarchSizes& m = in.size;
  check_shape(op, "grad_density", grad_density, {m.batch, m.rays, m.samples});
  check_shape(op, "grad_weights", grad_weights, {m.batch, m.rays, m.samples});
  check_shape(op, "grad_unknown", grad_unknown, {m.batch, m.rays});
  check_shape(op, "grad_hidden", grad_hidden, {m.batch, m.rays, field.size.hidden});
  check_shape(op, "grad_colour", grad_colour, {m.batch, m.views, m.rays, 3});
  check_shape(op, "grad_share", grad_share, {m.batch, m.views, m.rays});
  check_like(op,
             {{"grad_density", grad_density}, {"grad_weights", grad_weights}, {"grad_unknown", grad_unknown},
              {"grad_hidden", grad_hidden}, {"grad_colour", grad_colour}, {"grad_share", grad_share}},
             K, "K");
  const Tensor gd = rows(grad_density), gw = rows(grad_weights), gu = rows(grad_unknown), gh = rows(grad_hidden);
  const Tensor gc = rows(grad_colour), gs = rows(grad_share);
  FieldGradients to(K, field.size);
  const Driver on(K);
  with_scalar(K, [&](auto zero) {
    using T = decltype(zero);
    const Marched<const T> above{read<T>(gd), read<T>(gw), read<T>(gu), read<T>(gh), read<T>(gc), read<T>(gs)};
    on.backward(field.template pointers<T>(), in.pointers<T>(), above, to.pointers<T>());
  });
  return to.all();
}

}  // namespace scene3d
