// neus_alpha from tensors to results, the same on every device; a driver loops over sections.
#pragma once

#include <tuple>

#include "check.h"
#include "neus_alpha.h"

namespace scene3d {

template <typename T>
struct SectionPointers {
  int64_t count;
  const T *sdf, *cosine, *length, *sharpness;
  T anneal;
};

template <typename T>
struct ToSections {
  T *sdf, *cosine, *length, *sharpness;
};

// Returns their number.
inline int64_t check_sections(const char* op, const Tensor& sdf, const Tensor& cosine, const Tensor& length,
                              const Tensor& sharpness) {
  check_floating(op, "sdf", sdf);
  Sizes shape;
  int64_t count = 1;
  for (int64_t i = 0; i < sdf.dim(); ++i) shape.push_back(sdf.size(i)), count *= sdf.size(i);
  check_shape(op, "cosine", cosine, shape);
  check_shape(op, "length", length, shape);
  check_shape(op, "sharpness", sharpness, {});
  check_like(op, {{"cosine", cosine}, {"length", length}, {"sharpness", sharpness}}, sdf, "sdf");
  return count;
}

template <typename Driver>
Tensor neus_alpha(const Tensor& sdf, const Tensor& cosine, const Tensor& length, const Tensor& sharpness, double anneal) {
  const int64_t count = check_sections("neus_alpha", sdf, cosine, length, sharpness);
  const Tensor f = rows(sdf);
  Tensor out = torch::stable::empty_like(f);
  const Driver on(sdf);
  with_scalar(sdf, [&]<typename T>(T) {
    Rows rows;
    on.forward(SectionPointers<T>{count, read<T>(f), rows.of<T>(cosine), rows.of<T>(length), rows.of<T>(sharpness), T(anneal)},
               write<T>(out));
  });
  return out;
}

template <typename Driver>
std::tuple<Tensor, Tensor, Tensor, Tensor> neus_alpha_backward(const Tensor& grad, const Tensor& sdf, const Tensor& cosine,
                                                               const Tensor& length, const Tensor& sharpness, double anneal) {
  const char* op = "neus_alpha_backward";
  const int64_t count = check_sections(op, sdf, cosine, length, sharpness);
  check_like(op, {{"grad", grad}}, sdf, "sdf");
  const Tensor f = rows(sdf);
  Tensor to_sdf = torch::stable::empty_like(f), to_cosine = torch::stable::empty_like(f);
  Tensor to_length = torch::stable::empty_like(f), to_sharpness = torch::stable::empty_like(sharpness);
  const Driver on(sdf);
  with_scalar(sdf, [&]<typename T>(T) {
    Rows rows;
    on.backward(SectionPointers<T>{count, read<T>(f), rows.of<T>(cosine), rows.of<T>(length), rows.of<T>(sharpness), T(anneal)},
                rows.of<T>(grad),
                ToSections<T>{write<T>(to_sdf), write<T>(to_cosine), write<T>(to_length), write<T>(to_sharpness)});
  });
  return {to_sdf, to_cosine, to_length, to_sharpness};
}

}  // namespace scene3d
