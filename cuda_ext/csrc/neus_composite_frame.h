// neus_composite from tensors to results, the same on every device; a driver loops over rays.
#pragma once

#include "composite_frame.h"
#include "neus_alpha_frame.h"
#include "neus_composite.h"

namespace scene3d {

// All rays, and their sections.
template <typename T, typename Stored>
struct NeusRays {
  PackedSamples<T, Stored> samples;
  Sections<const T> sections;
  const T* sharpness;
  T anneal;
};

template <typename T>
struct ToNeusRays {
  Sections<T> sections;
  T *sharpness, *features, *distances;
};

inline CompositeSizes neus_sizes(const char* op, const Tensor& sdf, const Tensor& cosine, const Tensor& length,
                                 const Tensor& sharpness, const Tensor& features, const Tensor& distances,
                                 const Tensor& offsets) {
  check_sections(op, sdf, cosine, length, sharpness);
  return composite_sizes(op, sdf, "sdf", features, distances, offsets);
}

template <typename Driver>
FourTensors neus_composite(const Tensor& sdf, const Tensor& cosine, const Tensor& length, const Tensor& sharpness,
                           const Tensor& features, const Tensor& distances, const Tensor& offsets, double anneal) {
  const char* op = "neus_composite";
  const CompositeSizes s = neus_sizes(op, sdf, cosine, length, sharpness, features, distances, offsets);
  CompositeResults out(sdf, s);
  const Driver on(sdf);
  with_types<Driver>(sdf, features, [&]<typename T, typename Stored>(T, Stored) {
    Rows rows;
    const NeusRays<T, Stored> in{
        {nullptr, rows.of<Stored>(features), rows.of<T>(distances), nullptr, rows.of<int64_t>(offsets), s},
        {rows.of<T>(sdf), rows.of<T>(cosine), rows.of<T>(length)},
        rows.of<T>(sharpness),
        T(anneal)};
    on.check_offsets(op, in.samples.offsets, s.rays, s.samples);
    on.forward(in, out.pointers<T>());
  });
  return out.all();
}

template <typename Driver>
std::tuple<Tensor, Tensor, Tensor, Tensor, Tensor, Tensor> neus_composite_backward(
    const Tensor& grad_features, const Tensor& grad_distance, const Tensor& grad_opacity, const Tensor& grad_weights,
    const Tensor& sdf, const Tensor& cosine, const Tensor& length, const Tensor& sharpness, const Tensor& features,
    const Tensor& distances, const Tensor& offsets, double anneal) {
  const char* op = "neus_composite_backward";
  const CompositeSizes s = neus_sizes(op, sdf, cosine, length, sharpness, features, distances, offsets);
  check_composite_gradients(op, s, sdf, grad_features, grad_distance, grad_opacity, grad_weights);
  Tensor to_sdf = empty(sdf, {s.samples}), to_cosine = empty(sdf, {s.samples}), to_length = empty(sdf, {s.samples});
  Tensor to_sharpness = empty(sdf, {}), to_features = empty(sdf, {s.samples, s.channels}), to_distances = empty(sdf, {s.samples});
  const Driver on(sdf);
  with_types<Driver>(sdf, features, [&]<typename T, typename Stored>(T, Stored) {
    Rows rows;
    const NeusRays<T, Stored> in{
        {nullptr, rows.of<Stored>(features), rows.of<T>(distances), nullptr, rows.of<int64_t>(offsets), s},
        {rows.of<T>(sdf), rows.of<T>(cosine), rows.of<T>(length)},
        rows.of<T>(sharpness),
        T(anneal)};
    on.check_offsets(op, in.samples.offsets, s.rays, s.samples);
    const CompositedAbove<T> above{rows.of<T>(grad_features), rows.of<T>(grad_distance), rows.of<T>(grad_opacity),
                                   rows.of<T>(grad_weights)};
    on.backward(in, above,
                ToNeusRays<T>{{write<T>(to_sdf), write<T>(to_cosine), write<T>(to_length)},
                              write<T>(to_sharpness),
                              write<T>(to_features),
                              write<T>(to_distances)});
  });
  return {to_sdf, to_cosine, to_length, to_sharpness, to_features, to_distances};
}

}  // namespace scene3d
