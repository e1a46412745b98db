// neus_alpha on CUDA: a thread a section; the gradient of the sharpness is summed a block at a time, in double, and the
// blocks' sums by one thread in order, so that it repeats itself.
#include <tuple>

#include "launch.cuh"
#include "neus_alpha_checks.h"

namespace scene3d {
namespace {

constexpr int64_t SUMS = 256;

template <typename T>
__global__ void alphas(int64_t count, const T* sdf, const T* cosine, const T* length, const T* sharpness, T anneal, T* out) {
  for (int64_t i = first_thread(); i < count; i += all_threads())
    out[i] = Section<T>(sdf[i], cosine[i], length[i], *sharpness, anneal).alpha();
}

template <typename T>
__global__ void alphas_backward(int64_t count, const T* grad, const T* sdf, const T* cosine, const T* length,
                                const T* sharpness, T anneal, T* to_sdf, T* to_cosine, T* to_length, double* sums) {
  __shared__ double shared[THREADS];
  double sum = 0;
  for (int64_t i = first_thread(); i < count; i += all_threads()) {
    const Section<T> section(sdf[i], cosine[i], length[i], *sharpness, anneal);
    const SectionGradient<T> found(section, grad[i], sdf[i], length[i], *sharpness);
    to_sdf[i] = found.sdf;
    to_cosine[i] = found.cosine;
    to_length[i] = found.length;
    sum += double(found.sharpness);
  }
  shared[threadIdx.x] = sum;
  __syncthreads();
  for (int step = THREADS / 2; step > 0; step /= 2) {
    if (threadIdx.x < step) shared[threadIdx.x] += shared[threadIdx.x + step];
    __syncthreads();
  }
  if (threadIdx.x == 0) sums[blockIdx.x] = shared[0];
}

Tensor forward(const Tensor& sdf, const Tensor& cosine, const Tensor& length, const Tensor& sharpness, double anneal) {
  const char* op = "neus_alpha";
  const int64_t count = sections(op, sdf, cosine, length, sharpness);
  const OnDeviceOf device(sdf);
  const Tensor f = rows(sdf), c = rows(cosine), d = rows(length);
  Tensor out = torch::stable::empty_like(f);
  with_scalar(f, [&](auto zero) {
    using T = decltype(zero);
    device.run(op, alphas<T>, count, count, read<T>(f), read<T>(c), read<T>(d), read<T>(sharpness), T(anneal), write<T>(out));
  });
  return out;
}

std::tuple<Tensor, Tensor, Tensor, Tensor> backward(const Tensor& grad, const Tensor& sdf, const Tensor& cosine,
                                                    const Tensor& length, const Tensor& sharpness, double anneal) {
  const char* op = "neus_alpha_backward";
  const int64_t count = sections(op, sdf, cosine, length, sharpness);
  check_like(op, "grad", grad, sdf, "sdf");
  const OnDeviceOf device(sdf);
  const Tensor g = rows(grad), f = rows(sdf), c = rows(cosine), d = rows(length);
  Tensor to_sdf = torch::stable::empty_like(f), to_cosine = torch::stable::empty_like(f);
  Tensor to_length = torch::stable::empty_like(f), to_sharpness = torch::stable::empty_like(sharpness);
  const int64_t blocks = smaller<int64_t>(SUMS, larger<int64_t>((count + THREADS - 1) / THREADS, 1));
  Tensor sums = torch::stable::new_empty(f, std::vector<int64_t>{blocks}, Type::Double);
  with_scalar(f, [&](auto zero) {
    using T = decltype(zero);
    device.run(op, alphas_backward<T>, blocks * THREADS, count, read<T>(g), read<T>(f), read<T>(c), read<T>(d),
               read<T>(sharpness), T(anneal), write<T>(to_sdf), write<T>(to_cosine), write<T>(to_length), write<double>(sums));
    device.run(op, add_up<T>, 1, blocks, read<double>(sums), write<T>(to_sharpness));
  });
  return {to_sdf, to_cosine, to_length, to_sharpness};
}

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(scene3d, CUDA, m) {
  m.impl("neus_alpha", TORCH_BOX(&forward));
  m.impl("neus_alpha_backward", TORCH_BOX(&backward));
}

}  // namespace scene3d
