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

struct SectionArguments {
  int64_t count = 1;
  Tensor sdf, cosine, length, sharpness;
  double anneal;

  SectionArguments(const char* op, const Tensor& sdf_, const Tensor& cosine_, const Tensor& length_, const Tensor& sharpness_,
                   double anneal_)
      : sharpness(sharpness_), anneal(anneal_) {
    check_floating(op, "sdf", sdf_);
    Sizes shape;
    for (int64_t i = 0; i < sdf_.dim(); ++i) shape.push_back(sdf_.size(i)), count *= sdf_.size(i);
    check_shape(op, "cosine", cosine_, shape);
    check_shape(op, "length", length_, shape);
    check_shape(op, "sharpness", sharpness_, {});
    check_like(op, {{"cosine", cosine_}, {"length", length_}, {"sharpness", sharpness_}}, sdf_, "sdf");
    sdf = rows(sdf_), cosine = rows(cosine_), length = rows(length_);
  }

  template <typename T>
  SectionPointers<T> pointers() const {
    return {count, read<T>(sdf), read<T>(cosine), read<T>(length), read<T>(sharpness), T(anneal)};
  }
};

template <typename Driver>
Tensor neus_alpha(const Tensor& sdf, const Tensor& cosine, const Tensor& length, const Tensor& sharpness, double anneal) {
  const SectionArguments in("neus_alpha", sdf, cosine, length, sharpness, anneal);
  Tensor out = torch::stable::empty_like(in.sdf);
  const Driver on(sdf);
  with_scalar(sdf, [&](auto zero) {
    using T = decltype(zero);
    on.forward(in.pointers<T>(), write<T>(out));
  });
  return out;
}

template <typename Driver>
std::tuple<Tensor, Tensor, Tensor, Tensor> neus_alpha_backward(const Tensor& grad, const Tensor& sdf, const Tensor& cosine,
                                                               const Tensor& length, const Tensor& sharpness, double anneal) {
  const char* op = "neus_alpha_backward";
  const SectionArguments in(op, sdf, cosine, length, sharpness, anneal);
  check_like(op, {{"grad", grad}}, sdf, "sdf");
  const Tensor above = rows(grad);
  Tensor to_sdf = torch::stable::empty_like(in.sdf), to_cosine = torch::stable::empty_like(in.sdf);
  Tensor to_length = torch::stable::empty_like(in.sdf), to_sharpness = torch::stable::empty_like(sharpness);
  const Driver on(sdf);
  with_scalar(sdf, [&](auto zero) {
    using T = decltype(zero);
    on.backward(in.pointers<T>(), read<T>(above),
                ToSections<T>{write<T>(to_sdf), write<T>(to_cosine), write<T>(to_length), write<T>(to_sharpness)});
  });
  return {to_sdf, to_cosine, to_length, to_sharpness};
}

}  // namespace scene3d
