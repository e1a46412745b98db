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
template <typename T, typename Stored>
struct PackedSamples {
  const T* opacity;
  const Stored* features;
  const T *distances, *lengths;
  const int64_t* offsets;
  CompositeSizes size;

  S3D_HD Samples<T, Stored> ray(int64_t first, int64_t count) const {
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

// `like` is what the opacities are or follow from.
inline CompositeSizes composite_sizes(const char* op, const Tensor& like, const char* called, const Tensor& features,
                                      const Tensor& distances, const Tensor& offsets) {
  check_floating(op, called, like);
  check_shape(op, called, like, {-1});
  check_shape(op, "features", features, {like.size(0), -1});
  check_shape(op, "distances", distances, {like.size(0)});
  check_stored(op, {{"features", features}}, like, called);
  check_like(op, {{"distances", distances}}, like, called);
  return {check_edges(op, offsets), like.size(0), features.size(1)};
}

inline void check_lengths(const char* op, const Maybe& lengths, const Tensor& opacity) {
  if (!lengths) return;
  check_shape(op, "lengths", *lengths, {opacity.size(0)});
  check_like(op, {{"lengths", *lengths}}, opacity, "opacity");
}

inline void check_composite_gradients(const char* op, const CompositeSizes& s, const Tensor& like, const Tensor& features,
                                      const Tensor& distance, const Tensor& opacity, const Tensor& weights) {
  check_shape(op, "grad_features", features, {s.rays, s.channels});
  check_shape(op, "grad_distance", distance, {s.rays});
  check_shape(op, "grad_opacity", opacity, {s.rays});
  check_shape(op, "grad_weights", weights, {s.samples});
  check_like(op,
             {{"grad_features", features}, {"grad_distance", distance}, {"grad_opacity", opacity}, {"grad_weights", weights}},
             like, "the samples");
}

// Results of composite and of neus_composite.
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

template <typename Driver>
FourTensors composite(const Tensor& opacity, const Tensor& features, const Tensor& distances, const Tensor& offsets,
                      const Maybe& lengths) {
  const char* op = "composite";
  const CompositeSizes s = composite_sizes(op, opacity, "opacity", features, distances, offsets);
  check_lengths(op, lengths, opacity);
  CompositeResults out(opacity, s);
  const Driver on(opacity);
  with_types<Driver>(opacity, features, [&]<typename T, typename Stored>(T, Stored) {
    Rows rows;
    const PackedSamples<T, Stored> in{rows.of<T>(opacity),  rows.of<Stored>(features),  rows.of<T>(distances),
                                      rows.of<T>(lengths), rows.of<int64_t>(offsets), s};
    on.check_offsets(op, in.offsets, s.rays, s.samples);
    on.forward(in, out.pointers<T>());
  });
  return out.all();
}

template <typename Driver>
FourTensors composite_backward(const Tensor& grad_features, const Tensor& grad_distance, const Tensor& grad_opacity,
                               const Tensor& grad_weights, const Tensor& opacity, const Tensor& features,
                               const Tensor& distances, const Tensor& offsets, const Maybe& lengths) {
  const char* op = "composite_backward";
  const CompositeSizes s = composite_sizes(op, opacity, "opacity", features, distances, offsets);
  check_lengths(op, lengths, opacity);
  check_composite_gradients(op, s, opacity, grad_features, grad_distance, grad_opacity, grad_weights);
  Tensor to_opacity = empty(opacity, {s.samples}), to_features = empty(opacity, {s.samples, s.channels});
  Tensor to_distances = empty(opacity, {s.samples}), to_lengths = empty(opacity, {lengths ? s.samples : 0});
  const Driver on(opacity);
  with_types<Driver>(opacity, features, [&]<typename T, typename Stored>(T, Stored) {
    Rows rows;
    const PackedSamples<T, Stored> in{rows.of<T>(opacity),  rows.of<Stored>(features),  rows.of<T>(distances),
                                      rows.of<T>(lengths), rows.of<int64_t>(offsets), s};
    on.check_offsets(op, in.offsets, s.rays, s.samples);
    const CompositedAbove<T> above{rows.of<T>(grad_features), rows.of<T>(grad_distance), rows.of<T>(grad_opacity),
                                   rows.of<T>(grad_weights)};
    on.backward(in, above,
                ToSamples<T>{write<T>(to_opacity), write<T>(to_features), write<T>(to_distances),
                             lengths ? write<T>(to_lengths) : nullptr});
  });
  return {to_opacity, to_features, to_distances, to_lengths};
}

}  // namespace scene3d
