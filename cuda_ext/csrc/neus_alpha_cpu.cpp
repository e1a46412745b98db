// neus_alpha on the CPU: sections shared out over threads; the gradient of the sharpness is summed in double, block by
// block in one order, so that it does not depend on the number of threads.
#include <tuple>

#include "neus_alpha_checks.h"

namespace scene3d {
namespace {

constexpr int64_t BLOCK = 4096;

Tensor forward(const Tensor& sdf, const Tensor& cosine, const Tensor& length, const Tensor& sharpness, double anneal) {
  const int64_t count = sections("neus_alpha", sdf, cosine, length, sharpness);
  const Tensor f = rows(sdf), c = rows(cosine), d = rows(length);
  Tensor out = torch::stable::empty_like(f);
  with_scalar(f, [&](auto zero) {
    using T = decltype(zero);
    const T *at = read<T>(f), *along = read<T>(c), *long_ = read<T>(d);
    const T sharp = *read<T>(sharpness), ratio = T(anneal);
    T* alpha = write<T>(out);
    // Copies, which what is stored cannot change.
    torch::stable::parallel_for(0, count, BLOCK, [=](int64_t begin, int64_t end) {
#pragma omp simd
      for (int64_t i = begin; i < end; ++i) alpha[i] = Section<T>(at[i], along[i], long_[i], sharp, ratio).alpha();
    });
  });
  return out;
}

std::tuple<Tensor, Tensor, Tensor, Tensor> backward(const Tensor& grad, const Tensor& sdf, const Tensor& cosine,
                                                    const Tensor& length, const Tensor& sharpness, double anneal) {
  const char* op = "neus_alpha_backward";
  const int64_t count = sections(op, sdf, cosine, length, sharpness);
  check_like(op, "grad", grad, sdf, "sdf");
  const Tensor g = rows(grad), f = rows(sdf), c = rows(cosine), d = rows(length);
  Tensor to_sdf = torch::stable::empty_like(f), to_cosine = torch::stable::empty_like(f);
  Tensor to_length = torch::stable::empty_like(f), to_sharpness = torch::stable::empty_like(sharpness);
  with_scalar(f, [&](auto zero) {
    using T = decltype(zero);
    const T *above = read<T>(g), *at = read<T>(f), *along = read<T>(c), *long_ = read<T>(d);
    const T sharp = *read<T>(sharpness), ratio = T(anneal);
    T *a = write<T>(to_sdf), *b = write<T>(to_cosine), *e = write<T>(to_length);
    const int64_t blocks = (count + BLOCK - 1) / BLOCK;
    std::vector<double> sums(blocks);
    double* block_sums = sums.data();
    torch::stable::parallel_for(0, blocks, 1, [=](int64_t begin, int64_t end) {
      std::vector<T> parts(BLOCK);
      T* part = parts.data();
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
    *write<T>(to_sharpness) = T(total);
  });
  return {to_sdf, to_cosine, to_length, to_sharpness};
}

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(scene3d, CPU, m) {
  m.impl("neus_alpha", TORCH_BOX(&forward));
  m.impl("neus_alpha_backward", TORCH_BOX(&backward));
}

}  // namespace scene3d
