// neus_composite from tensors to results, the same on every device; a driver loops over rays.
#pragma once

#include "composite_frame.h"
#include "neus_alpha_frame.h"
#include "neus_composite.h"

namespace scene3d {

// All rays, and their sections.
template <typename T>
struct NeusRays {
  PackedSamples<T> samples;
  Sections<const T> sections;
  const T* sharpness;
  T anneal;
};

template <typename T>
struct ToNeusRays {
  Sections<T> sections;
  T *sharpness, *features, *distances;
};

template <typename T>
NeusRays<T> neus_rays(const SectionArguments& sections, const CompositeArguments& in) {
  const SectionPointers<T> s = sections.pointers<T>();
  return {in.samples<T>(nullptr, nullptr), {s.sdf, s.cosine, s.length}, s.sharpness, s.anneal};
}

template <typename Driver>
FourTensors neus_composite(const Tensor& sdf, const Tensor& cosine, const Tensor& length, const Tensor& sharpness,
                           const Tensor& features, const Tensor& distances, const Tensor& offsets, double anneal) {
  const char* op = "neus_composite";
  check_shape(op, "sdf", sdf, {-1});
  const SectionArguments sections(op, sdf, cosine, length, sharpness, anneal);
  const CompositeArguments in(op, sdf, "sdf", features, distances, offsets);
  const Driver on(sdf);
  on.check_offsets(op, in.offsets, in.size.rays, in.size.samples);
  CompositeResults out(sdf, in.size);
  with_scalar(sdf, [&](auto zero) {
    using T = decltype(zero);
    on.forward(neus_rays<T>(sections, in), out.pointers<T>());
  });
  return out.all();
}

template <typename Driver>
std::tuple<Tensor, Tensor, Tensor, Tensor, Tensor, Tensor> neus_composite_backward(
    const Tensor& grad_features, const Tensor& grad_distance, const Tensor& grad_opacity, const Tensor& grad_weights,
    const Tensor& sdf, const Tensor& cosine, const Tensor& length, const Tensor& sharpness, const Tensor& features,
    const Tensor& distances, const Tensor& offsets, double anneal) {
  const char* op = "neus_composite_backward";
  check_shape(op, "sdf", sdf, {-1});
  const SectionArguments sections(op, sdf, cosine, length, sharpness, anneal);
  const CompositeArguments in(op, sdf, "sdf", features, distances, offsets);
  const CompositeSizes& s = in.size;
  const CompositeGradients above(op, s, sdf, grad_features, grad_distance, grad_opacity, grad_weights);
  const Driver on(sdf);
  on.check_offsets(op, in.offsets, s.rays, s.samples);
  Tensor to_sdf = empty(sdf, {s.samples}), to_cosine = empty(sdf, {s.samples}), to_length = empty(sdf, {s.samples});
  Tensor to_sharpness = empty(sdf, {}), to_features = empty(sdf, {s.samples, s.channels}), to_distances = empty(sdf, {s.samples});
  with_scalar(sdf, [&](auto zero) {
    using T = decltype(zero);
    const ToNeusRays<T> to{{write<T>(to_sdf), write<T>(to_cosine), write<T>(to_length)},
                           write<T>(to_sharpness),
                           write<T>(to_features),
                           write<T>(to_distances)};
    on.backward(neus_rays<T>(sections, in), above.pointers<T>(), to);
  });
  return {to_sdf, to_cosine, to_length, to_sharpness, to_features, to_distances};
}

}  // namespace scene3d
