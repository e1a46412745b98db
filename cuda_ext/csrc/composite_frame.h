// composite from tensors to results, the same on every device; a driver loops over rays.
#pragma once

#include <tuple>

#include "check.h"
#include "composite.h"

namespace scene3d {

using FourTensors = std::tuple<Tensor, Tensor, Tensor, Tensor>;

struct CompositeSizes {
  int64_t rays, samples, channels;
};

// Samples of all rays, one after the other. `opacity` is null where it follows from something else.
template <typename T>
struct PackedSamples {
  const T *opacity, *features, *distances, *lengths;
  const int64_t* offsets;
  CompositeSizes size;

  S3D_HD Samples<T> ray(int64_t first, int64_t count) const {
    return {opacity ? opacity + first : nullptr,
            features + first * size.channels,
            distances + first,
            lengths ? lengths + first : nullptr,
            count,
            size.channels};
  }
};

// Results of all rays.
template <typename T>
struct Composited {
  T *features, *distance, *opacity, *weights;
};

// And the gradients of them.
template <typename T>
struct CompositedAbove {
  const T *features, *distance, *opacity, *weights;

  S3D_HD RayGradients<T> ray(int64_t index, int64_t first, int64_t channels) const {
    return {features + index * channels, distance[index], opacity[index], weights + first};
  }
};

// Gradients of samples.
template <typename T>
struct ToSamples {
  T *opacity, *features, *distances, *lengths;
};

// `like` decides the dtype and the device.
struct CompositeArguments {
  CompositeSizes size;
  Tensor features, distances, offsets;

  CompositeArguments(const char* op, const Tensor& like, const char* called, const Tensor& features_, const Tensor& distances_,
                     const Tensor& offsets_) {
    const int64_t samples = like.size(0);
    check_shape(op, "features", features_, {samples, -1});
    check_shape(op, "distances", distances_, {samples});
    check_like(op, {{"features", features_}, {"distances", distances_}}, like, called);
    size = {check_edges(op, offsets_), samples, features_.size(1)};
    features = rows(features_), distances = rows(distances_), offsets = rows(offsets_);
  }

  template <typename T>
  PackedSamples<T> samples(const T* opacity, const T* lengths) const {
    return {opacity, read<T>(features), read<T>(distances), lengths, read<int64_t>(offsets), size};
  }
};

struct CompositeResults {
  Tensor features, distance, opacity, weights;

  CompositeResults(const Tensor& like, const CompositeSizes& s)
      : features(empty(like, {s.rays, s.channels})),
        distance(empty(like, {s.rays})),
        opacity(empty(like, {s.rays})),
        weights(empty(like, {s.samples})) {}

  template <typename T>
  Composited<T> pointers() {
    return {write<T>(features), write<T>(distance), write<T>(opacity), write<T>(weights)};
  }

  FourTensors all() const { return {features, distance, opacity, weights}; }
};

struct CompositeGradients {
  Tensor features, distance, opacity, weights;

  CompositeGradients(const char* op, const CompositeSizes& s, const Tensor& like, const Tensor& features_,
                     const Tensor& distance_, const Tensor& opacity_, const Tensor& weights_) {
    check_shape(op, "grad_features", features_, {s.rays, s.channels});
    check_shape(op, "grad_distance", distance_, {s.rays});
    check_shape(op, "grad_opacity", opacity_, {s.rays});
    check_shape(op, "grad_weights", weights_, {s.samples});
    check_like(op,
               {{"grad_features", features_}, {"grad_distance", distance_}, {"grad_opacity", opacity_}, {"grad_weights", weights_}},
               like, "the samples");
    features = rows(features_), distance = rows(distance_), opacity = rows(opacity_), weights = rows(weights_);
  }

  template <typename T>
  CompositedAbove<T> pointers() const {
    return {read<T>(features), read<T>(distance), read<T>(opacity), read<T>(weights)};
  }
};

inline void check_opacities(const char* op, const Tensor& opacity, const Maybe& lengths) {
  check_floating(op, "opacity", opacity);
  check_shape(op, "opacity", opacity, {-1});
  if (!lengths) return;
  check_shape(op, "lengths", *lengths, {opacity.size(0)});
  check_like(op, {{"lengths", *lengths}}, opacity, "opacity");
}

template <typename Driver>
FourTensors composite(const Tensor& opacity, const Tensor& features, const Tensor& distances, const Tensor& offsets,
                      const Maybe& lengths) {
  const char* op = "composite";
  check_opacities(op, opacity, lengths);
  const CompositeArguments in(op, opacity, "opacity", features, distances, offsets);
  const Driver on(opacity);
  on.check_offsets(op, in.offsets, in.size.rays, in.size.samples);
  const Tensor a = rows(opacity);
  const Maybe l = rows(lengths);
  CompositeResults out(a, in.size);
  with_scalar(a, [&](auto zero) {
    using T = decltype(zero);
    on.forward(in.samples(read<T>(a), read<T>(l)), out.pointers<T>());
  });
  return out.all();
}

template <typename Driver>
FourTensors composite_backward(const Tensor& grad_features, const Tensor& grad_distance, const Tensor& grad_opacity,
                               const Tensor& grad_weights, const Tensor& opacity, const Tensor& features,
                               const Tensor& distances, const Tensor& offsets, const Maybe& lengths) {
  const char* op = "composite_backward";
  check_opacities(op, opacity, lengths);
  const CompositeArguments in(op, opacity, "opacity", features, distances, offsets);
  const CompositeSizes& s = in.size;
  const CompositeGradients above(op, s, opacity, grad_features, grad_distance, grad_opacity, grad_weights);
  const Driver on(opacity);
  on.check_offsets(op, in.offsets, s.rays, s.samples);
  const Tensor a = rows(opacity);
  const Maybe l = rows(lengths);
  Tensor to_opacity = empty(a, {s.samples}), to_features = empty(a, {s.samples, s.channels});
  Tensor to_distances = empty(a, {s.samples}), to_lengths = empty(a, {l ? s.samples : 0});
  with_scalar(a, [&](auto zero) {
    using T = decltype(zero);
    const ToSamples<T> to{write<T>(to_opacity), write<T>(to_features), write<T>(to_distances), l ? write<T>(to_lengths) : nullptr};
    on.backward(in.samples(read<T>(a), read<T>(l)), above.pointers<T>(), to);
  });
  return {to_opacity, to_features, to_distances, to_lengths};
}

}  // namespace scene3d
