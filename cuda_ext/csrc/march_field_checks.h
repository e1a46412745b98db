// What both drivers of march_field ask of their arguments.
#pragma once

#include <optional>

#include "march_field.h"
#include "pixel_field_checks.h"

namespace scene3d {

struct MarchSizes {
  FieldSizes field;
  int64_t rays, samples, views, height, width;
};

inline MarchSizes march_sizes(const char* op, const FieldSizes& field, const Tensor& folded, const Tensor& origins,
                              const Tensor& directions, const Tensor& distances, const Tensor& images, const Tensor& to_pixels,
                              const std::optional<Tensor>& shown) {
  check_shape(op, "distances", distances, {field.batch, -1, -1});
  const int64_t rays = distances.size(1), samples = distances.size(2);
  STD_TORCH_CHECK(samples > 0, op, ": distances: expected at least one sample a ray, got shape ", shape_of(distances));
  check_shape(op, "origins", origins, {field.batch, rays, 3});
  check_shape(op, "directions", directions, {field.batch, rays, 3});
  check_shape(op, "images", images, {field.batch, -1, -1, -1, 3});
  const int64_t views = images.size(1), height = images.size(2), width = images.size(3);
  STD_TORCH_CHECK(views == 0 || (height > 0 && width > 0), op, ": images: expected at least one pixel, got shape ", shape_of(images));
  check_shape(op, "to_pixels", to_pixels, {field.batch, views, 3, 4});
  for (const Tensor* tensor : {&origins, &directions, &distances, &images, &to_pixels})
    check_like(op, "rays and views", *tensor, folded, "folded");
  if (shown) {
    check_shape(op, "shown", *shown, {field.batch, views, height, width});
    STD_TORCH_CHECK(shown->scalar_type() == Type::Bool, op, ": shown: expected bool, got another dtype");
  }
  return {field, rays, samples, views, height, width};
}

inline void check_march_gradients(const char* op, const MarchSizes& m, const Tensor& folded, const Tensor& density,
                                  const Tensor& weights, const Tensor& unknown, const Tensor& hidden, const Tensor& colour,
                                  const Tensor& share) {
  const int64_t batch = m.field.batch;
  check_shape(op, "grad_density", density, {batch, m.rays, m.samples});
  check_shape(op, "grad_weights", weights, {batch, m.rays, m.samples});
  check_shape(op, "grad_unknown", unknown, {batch, m.rays});
  check_shape(op, "grad_hidden", hidden, {batch, m.rays, m.field.hidden});
  check_shape(op, "grad_colour", colour, {batch, m.views, m.rays, 3});
  check_shape(op, "grad_share", share, {batch, m.views, m.rays});
  for (const Tensor* grad : {&density, &weights, &unknown, &hidden, &colour, &share})
    check_like(op, "gradients", *grad, folded, "folded");
}

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

}  // namespace scene3d
