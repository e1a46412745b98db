// A ray through a signed distance field, its sections composited; see scene3d/ops/neus_composite.py.
#pragma once

#include "composite.h"
#include "neus_alpha.h"

namespace scene3d {

// The sections of a ray, or their gradients.
template <typename T>
struct Sections {
  T *sdf, *cosine, *length;

  S3D_HD Sections from(int64_t first) const { return {sdf + first, cosine + first, length + first}; }
};

template <typename T, typename Lanes>
S3D_HD void section_opacities(const Sections<const T>& sections, T sharpness, T anneal, int64_t count, const Lanes& lanes,
                              T* alpha) {
#if !defined(__CUDACC__)
#pragma omp simd
#endif
  for (int64_t i = lanes.lane(); i < count; i += Lanes::lanes)
    alpha[i] = Section<T>(sections.sdf[i], sections.cosine[i], sections.length[i], sharpness, anneal).alpha();
  lanes.wait();
}

// `alpha` is scratch of a number a section; it holds the opacities that `in` composites.
template <int CHANNELS, typename T, typename Stored, typename Lanes>
S3D_HD void neus_composite_ray(const Sections<const T>& sections, T sharpness, T anneal, T* alpha,
                               Samples<T, Stored> in, const Lanes& lanes, T* seen, T* distance, T* total, T* weights) {
  section_opacities(sections, sharpness, anneal, in.count, lanes, alpha);
  in.opacity = alpha;
  composite_ray<CHANNELS>(in, lanes, seen, distance, total, weights);
}

// `alpha` and `to_alpha` are scratch. Returns the gradient of the sharpness.
template <int CHANNELS, typename T, typename Stored, typename Lanes, typename ToFeature>
S3D_HD double neus_composite_ray_backward(const Sections<const T>& sections, T sharpness, T anneal, T* alpha, T* to_alpha,
                                          Samples<T, Stored> in, const RayGradients<T>& grad, const Lanes& lanes,
                                          const Sections<T>& to, const ToFeature& to_feature, T* to_distances) {
  section_opacities(sections, sharpness, anneal, in.count, lanes, alpha);
  in.opacity = alpha;
  composite_ray_backward<CHANNELS>(in, grad, lanes, to_alpha, to_feature, to_distances, static_cast<T*>(nullptr));
  lanes.wait();
#if !defined(__CUDACC__)
#pragma omp simd
#endif
  for (int64_t i = lanes.lane(); i < in.count; i += Lanes::lanes) {
    const Section<T> section(sections.sdf[i], sections.cosine[i], sections.length[i], sharpness, anneal);
    const SectionGradient<T> found(section, to_alpha[i], sections.sdf[i], sections.length[i], sharpness);
    to.sdf[i] = found.sdf;
    to.cosine[i] = found.cosine;
    to.length[i] = found.length;
    alpha[i] = found.sharpness;
  }
  double to_sharpness = 0;
  for (int64_t i = lanes.lane(); i < in.count; i += Lanes::lanes) to_sharpness += double(alpha[i]);
  return lanes.sum(to_sharpness);
}

}  // namespace scene3d
