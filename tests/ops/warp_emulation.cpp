// The loop bodies that a warp runs, run by 32 threads in lockstep, against the same bodies run by one lane.
// Prints the largest difference; exits with 1 where it is not small.
#include <barrier>
#include <cmath>
#include <cstdio>
#include <random>
#include <thread>
#include <vector>

#include "composite.h"

namespace {

constexpr int LANES = 32;

struct Warp {
  std::barrier<> step{LANES};
  double shared[LANES] = {};
};

struct EmulatedLane {
  static constexpr int64_t lanes = LANES;
  Warp* warp;
  int64_t index;

  int64_t lane() const { return index; }

  // What a butterfly of shuffles adds up, in the same order for every lane.
  template <typename T>
  T sum(T value) const {
    for (int width = LANES / 2; width > 0; width /= 2) {
      warp->shared[index] = value;
      warp->step.arrive_and_wait();
      value += T(warp->shared[index ^ width]);
      warp->step.arrive_and_wait();
    }
    return value;
  }
};

template <typename Body>
void as_a_warp(const Body& body) {
  Warp warp;
  std::vector<std::thread> threads;
  for (int64_t lane = 0; lane < LANES; ++lane) threads.emplace_back([&, lane] { body(EmulatedLane{&warp, lane}); });
  for (auto& thread : threads) thread.join();
}

double worst = 0;

void compare(const std::vector<double>& one, const std::vector<double>& other) {
  for (size_t i = 0; i < one.size(); ++i) worst = std::fmax(worst, std::abs(one[i] - other[i]));
}

void one_case(int64_t samples, int64_t channels, bool density, std::mt19937& random) {
  std::uniform_real_distribution<double> unit(0, 1);
  const auto drawn = [&](int64_t count) {
    std::vector<double> values(count);
    for (double& value : values) value = unit(random);
    return values;
  };
  std::vector<double> opacity = drawn(samples);
  if (samples > 2) opacity[1] = 1, opacity[2] = 0;
  const auto features = drawn(samples * channels), distances = drawn(samples), lengths = drawn(samples);
  const auto to_seen = drawn(channels), to_weights = drawn(samples);
  const scene3d::Samples<double> in{opacity.data(), features.data(), distances.data(), density ? lengths.data() : nullptr,
                                    samples, channels};
  const scene3d::RayGradients<double> grad{to_seen.data(), 0.7, -0.3, to_weights.data()};
  std::vector<double> results[2];
  for (int emulated = 0; emulated < 2; ++emulated) {
    std::vector<double> seen(channels), ray(2), weights(samples), to_opacity(samples), to_features(samples * channels);
    std::vector<double> to_distances(samples), to_lengths(samples);
    const auto run = [&](const auto& lanes) {
      scene3d::composite_ray<0>(in, lanes, seen.data(), &ray[0], &ray[1], weights.data());
      scene3d::composite_ray_backward<0>(in, grad, lanes, to_opacity.data(), to_features.data(), to_distances.data(),
                                         to_lengths.data());
    };
    if (emulated) as_a_warp(run); else run(scene3d::OneLane{});
    for (const auto* part : {&seen, &ray, &weights, &to_opacity, &to_features, &to_distances, &to_lengths})
      results[emulated].insert(results[emulated].end(), part->begin(), part->end());
  }
  compare(results[0], results[1]);
}

}  // namespace

int main() {
  std::mt19937 random(0);
  for (int64_t samples : {0, 1, 2, 7, 33})
    for (int64_t channels : {1, 3, 31, 32, 33, 64, 70})
      for (bool density : {false, true}) one_case(samples, channels, density, random);
  std::printf("%g\n", worst);
  return worst < 1e-12 ? 0 : 1;
}
