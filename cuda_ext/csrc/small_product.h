// Products of matrices that fit into the cache, without a library. Host only.
#pragma once

#include <cstdint>

namespace scene3d {

// As many numbers as a vector register of AVX2 holds; other processors split or join them.
template <typename T>
using Pack __attribute__((vector_size(32), aligned(alignof(T)), may_alias)) = T;

template <typename T>
constexpr int64_t PACK = 32 / sizeof(T);

// Columns that `add_product` works on at a time; what it is given is padded to a multiple.
template <typename T>
constexpr int64_t PANEL = 2 * PACK<T>;

inline int64_t padded(int64_t count, int64_t multiple) { return (count + multiple - 1) / multiple * multiple; }

template <int ROWS, typename T>
inline void add_product_tile(const T* a, int64_t row_step, int64_t inner_step, const T* b, T* c, int64_t inner,
                             int64_t columns) {
  Pack<T> sum[ROWS][2];
  for (int r = 0; r < ROWS; ++r)
    for (int half = 0; half < 2; ++half)
      sum[r][half] = *reinterpret_cast<const Pack<T>*>(c + r * columns + half * PACK<T>);
  for (int64_t k = 0; k < inner; ++k) {
    const Pack<T> left = *reinterpret_cast<const Pack<T>*>(b + k * columns);
    const Pack<T> right = *reinterpret_cast<const Pack<T>*>(b + k * columns + PACK<T>);
    for (int r = 0; r < ROWS; ++r) {
      const T value = a[r * row_step + k * inner_step];
      sum[r][0] += value * left;
      sum[r][1] += value * right;
    }
  }
  for (int r = 0; r < ROWS; ++r)
    for (int half = 0; half < 2; ++half)
      *reinterpret_cast<Pack<T>*>(c + r * columns + half * PACK<T>) = sum[r][half];
}

// c[rows, columns] += a[rows, inner] b[inner, columns]; a has steps of its own, so that it may be read transposed.
template <typename T>
void add_product(const T* a, int64_t row_step, int64_t inner_step, const T* b, T* c, int64_t rows, int64_t inner,
                 int64_t columns) {
  constexpr int TILE = 4;
  for (int64_t column = 0; column < columns; column += PANEL<T>) {
    int64_t row = 0;
    for (; row + TILE <= rows; row += TILE)
      add_product_tile<TILE>(a + row * row_step, row_step, inner_step, b + column, c + row * columns + column, inner, columns);
    for (; row < rows; ++row)
      add_product_tile<1>(a + row * row_step, row_step, inner_step, b + column, c + row * columns + column, inner, columns);
  }
}

}  // namespace scene3d
