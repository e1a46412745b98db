// neus_alpha on the CPU: sections shared out over threads; the gradient of the sharpness is summed in double, block by
// block in one order, so that it does not depend on the number of threads.
#include "neus_alpha_frame.h"

namespace scene3d {
namespace {

constexpr int64_t BLOCK = 4096;

struct Cpu : OnHost {
  using OnHost::OnHost;

  template <typename T>
  void forward(const SectionPointers<T>& in, T* alpha) const {
    const T *at = in.sdf, *along = in.cosine, *long_ = in.length;
    const T sharp = *in.sharpness, ratio = in.anneal;
    // Copies, which what is stored cannot change.
    torch::stable::parallel_for(0, in.count, BLOCK, [=](int64_t begin, int64_t end) {
#pragma omp simd
      for (int64_t i = begin; i < end; ++i) alpha[i] = Section<T>(at[i], along[i], long_[i], sharp, ratio).alpha();
    });
  }

  template <typename T>
  void backward(const SectionPointers<T>& in, const T* above, const ToSections<T>& to) const {
    const T *at = in.sdf, *along = in.cosine, *long_ = in.length;
    const T sharp = *in.sharpness, ratio = in.anneal;
    const int64_t count = in.count, blocks = (count + BLOCK - 1) / BLOCK;
    std::vector<double> sums(blocks);
    double* block_sums = sums.data();
    torch::stable::parallel_for(0, blocks, 1, [=](int64_t begin, int64_t end) {
      std::vector<T> parts(BLOCK);
      T *part = parts.data(), *a = to.sdf, *b = to.cosine, *e = to.length;
      for (int64_t block = begin; block < end; ++block) {
        const int64_t first = block * BLOCK, last = smaller(count, first + BLOCK);
#pragma omp simd
        for (int64_t i = first; i < last; ++i) {
          const SectionGradient<T> found(Section<T>(at[i], along[i], long_[i], sharp, ratio), above[i], at[i], long_[i], sharp);
          a[i] = found.sdf;
          b[i] = found.cosine;
          e[i] = found.length;
          part[i - first] = found.sharpness;
        }
        double sum = 0;
#pragma omp simd reduction(+ : sum)
        for (int64_t i = 0; i < last - first; ++i) sum += double(part[i]);
        block_sums[block] = sum;
      }
    });
    double total = 0;
    for (double sum : sums) total += sum;
    *to.sharpness = T(total);
  }
};

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(scene3d, CPU, m) {
  m.impl("neus_alpha", TORCH_BOX(&neus_alpha<Cpu>));
  m.impl("neus_alpha_backward", TORCH_BOX(&neus_alpha_backward<Cpu>));
}

}  // namespace scene3d
