// field_density on the CPU: blocks of points shared out over threads.
#include "field_density_frame.h"
#include "pixel_field_cpu.h"

namespace scene3d {
namespace {

constexpr int64_t BLOCK = 64;

// Points that are looked at together: of one scene, at most BLOCK of its `each`.
struct Some {
  int64_t scene, first, count;

  Some(int64_t job, int64_t blocks, int64_t each)
      : scene(job / blocks),
        first(scene * each + job % blocks * BLOCK),
        count(std::min(BLOCK, (scene + 1) * each - first)) {}
};

struct Cpu : FieldOnHost {
  using FieldOnHost::FieldOnHost;

  template <typename T>
  void forward(const FieldPointers<T>& in, int64_t each, const T* points, T* density, bool* valid) const {
    const int64_t blocks = (each + BLOCK - 1) / BLOCK;
    const FieldNetwork<T> network(in);
    torch::stable::parallel_for(0, in.size.batch * blocks, 4, [&](int64_t begin, int64_t end) {
      FieldBlock<T> block(network, in.size, BLOCK);
      for (int64_t job = begin; job < end; ++job) {
        const Some some(job, blocks, each);
        block.look(in.scene(some.scene), points + 3 * some.first, some.count);
        for (int64_t i = 0; i < some.count; ++i) {
          density[some.first + i] = softplus(block.logit[i]);
          valid[some.first + i] = block.valid[i];
        }
      }
    });
  }

  template <typename T>
  void backward(const FieldPointers<T>& in, int64_t each, const T* points, const T* grad, const ToField<T>& to) const {
    constexpr int64_t EACH = 8;  // blocks of points that a thread adds up before the map has its turn
    const int64_t blocks = (each + BLOCK - 1) / BLOCK;
    const FieldNetwork<T> network(in);
    FieldGradient<T> gradient(in.size, network, EACH * BLOCK);
    const auto memory = [&] { return FieldBlock<T>(network, in.size, BLOCK); };
    gradient.add_all(in.size.batch * blocks, EACH, to, memory, [&](FieldBlock<T>& block, int64_t part, int64_t job) {
      const Some some(job, blocks, each);
      block.look(in.scene(some.scene), points + 3 * some.first, some.count);
      gradient.add(
          part, some.scene, block, some.count, [&](int64_t i) { return grad[some.first + i] * logistic(block.logit[i]); },
          [](int64_t, T*) {});
    });
  }
};

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(scene3d, CPU, m) {
  m.impl("field_density", TORCH_BOX(&field_density<Cpu>));
  m.impl("field_density_backward", TORCH_BOX(&field_density_backward<Cpu>));
}

}  // namespace scene3d
