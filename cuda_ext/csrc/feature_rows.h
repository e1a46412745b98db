// Gradients of features, row after row. Host only.
#pragma once

#include <cstdint>

#if defined(__AVX2__)
#include <immintrin.h>
#endif

namespace scene3d {

// Row i becomes weight times what came from above. What is written is as large as the features themselves and not read
// here again, so where it is larger than a cache it goes past it: that saves fetching every line before it is replaced.
template <int CHANNELS, typename T>
struct FeatureRows {
  T* to;
  const T* above;  // [channels]
  int64_t channels;
  bool past_the_cache;

  void operator()(int64_t i, T weight) const {
    const int64_t count = CHANNELS ? CHANNELS : channels;
    T* row = to + i * count;
#if defined(__AVX2__)
    if constexpr (sizeof(T) == 4 && CHANNELS % 8 == 0 && CHANNELS > 0) {
      if (past_the_cache) {
        for (int64_t c = 0; c < CHANNELS; c += 8)
          _mm256_stream_ps(row + c, _mm256_mul_ps(_mm256_set1_ps(weight), _mm256_loadu_ps(above + c)));
        return;
      }
    }
#endif
    for (int64_t c = 0; c < count; ++c) row[c] = weight * above[c];
  }
};

// Whether so many numbers from there on are better written past the cache.
template <typename T>
bool past_the_cache(const T* to, int64_t numbers) {
  return numbers * int64_t(sizeof(T)) > (int64_t(8) << 20) && reinterpret_cast<uintptr_t>(to) % 32 == 0;
}

// After writes past the cache, before another thread reads.
inline void finish_writes() {
#if defined(__AVX2__)
  _mm_sfence();
#endif
}

}  // namespace scene3d
