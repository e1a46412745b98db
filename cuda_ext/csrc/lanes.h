// Who shares a loop body: a thread alone, or the 32 lanes of a warp (launch.cuh).
//
// A body handles the channels lane, lane + lanes, ... and adds up through `sum`, after which every lane has the total.
#pragma once

#include "portable.h"

namespace scene3d {

// A single lane: what it sums, it has already.
struct OneLane {
  static constexpr int64_t lanes = 1;
  S3D_HD int64_t lane() const { return 0; }
  S3D_HD void wait() const {}
  template <typename T>
  S3D_HD T sum(T value) const {
    return value;
  }
};

}  // namespace scene3d
