// neus_alpha on CUDA: a thread a section; the gradient of the sharpness is summed a block at a time, in double, and the
// blocks' sums by one thread in order, so that it repeats itself.
#include "launch.cuh"
#include "neus_alpha_frame.h"

namespace scene3d {
namespace {

constexpr int64_t SUMS = 256;

template <typename T>
__global__ void alphas(SectionPointers<T> in, T* out) {
  for (int64_t i = first_thread(); i < in.count; i += all_threads())
    out[i] = Section<T>(in.sdf[i], in.cosine[i], in.length[i], *in.sharpness, in.anneal).alpha();
}

template <typename T>
__global__ void alphas_backward(SectionPointers<T> in, const T* grad, ToSections<T> to, double* sums) {
  __shared__ double shared[THREADS];
  double sum = 0;
  for (int64_t i = first_thread(); i < in.count; i += all_threads()) {
    const Section<T> section(in.sdf[i], in.cosine[i], in.length[i], *in.sharpness, in.anneal);
    const SectionGradient<T> found(section, grad[i], in.sdf[i], in.length[i], *in.sharpness);
    to.sdf[i] = found.sdf;
    to.cosine[i] = found.cosine;
    to.length[i] = found.length;
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

struct Cuda : OnDeviceOf {
  using OnDeviceOf::OnDeviceOf;

  template <typename T>
  void forward(const SectionPointers<T>& in, T* out) const {
    run("neus_alpha", alphas<T>, in.count, in, out);
  }

  template <typename T>
  void backward(const SectionPointers<T>& in, const T* grad, const ToSections<T>& to) const {
    const char* op = "neus_alpha_backward";
    const int64_t blocks = smaller<int64_t>(SUMS, larger<int64_t>((in.count + THREADS - 1) / THREADS, 1));
    Tensor sums = scratch(blocks, Type::Double);
    run(op, alphas_backward<T>, blocks * THREADS, in, grad, to, write<double>(sums));
    run(op, add_up<T>, 1, blocks, read<double>(sums), to.sharpness);
  }
};

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(scene3d, CUDA, m) {
  m.impl("neus_alpha", TORCH_BOX(&neus_alpha<Cuda>));
  m.impl("neus_alpha_backward", TORCH_BOX(&neus_alpha_backward<Cuda>));
}

}  // namespace scene3d
