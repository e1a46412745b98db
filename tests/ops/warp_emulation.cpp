// The loop bodies that a warp runs, run by 32 threads in lockstep, against the same bodies run by one lane; all of it on
// features in double precision and on features in 16 bits. Prints the largest difference; exits with 1 where it is not small.
#include <barrier>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <random>
#include <thread>
#include <vector>

#include "composite.h"
#include "march_field.h"
#include "plane_sweep.h"

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
  void wait() const { warp->step.arrive_and_wait(); }

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

// The upper half of a single-precision number; what lies below is cut off.
struct Short {
  uint16_t bits;

  explicit Short(double value) {
    const float single = static_cast<float>(value);
    uint32_t whole;
    std::memcpy(&whole, &single, sizeof whole);
    bits = static_cast<uint16_t>(whole >> 16);
  }

  operator float() const {
    const uint32_t whole = uint32_t(bits) << 16;
    float single;
    std::memcpy(&single, &whole, sizeof single);
    return single;
  }
};

double worst = 0;

void compare(const std::vector<double>& one, const std::vector<double>& other) {
  for (size_t i = 0; i < one.size(); ++i) worst = std::fmax(worst, std::abs(one[i] - other[i]));
}

std::vector<double> drawn(int64_t count, std::mt19937& random, double low = 0) {
  std::uniform_real_distribution<double> unit(low, 1);
  std::vector<double> values(count);
  for (double& value : values) value = unit(random);
  return values;
}

// Compares what body(features) returns for features in 16 bits with that for the same values in 64.
template <typename Body>
void as_both_stored(const std::vector<double>& drawn_features, const Body& body) {
  const std::vector<Short> stored(drawn_features.begin(), drawn_features.end());
  const std::vector<double> raised(stored.begin(), stored.end());
  compare(body(stored.data()), body(raised.data()));
}

void one_composite(int64_t samples, int64_t channels, bool density, std::mt19937& random) {
  std::vector<double> opacity = drawn(samples, random);
  if (samples > 2) opacity[1] = 1, opacity[2] = 0;
  const auto features = drawn(samples * channels, random), distances = drawn(samples, random), lengths = drawn(samples, random);
  const auto to_seen = drawn(channels, random), to_weights = drawn(samples, random);
  const scene3d::RayGradients<double> grad{to_seen.data(), 0.7, -0.3, to_weights.data()};
  as_both_stored(features, [&]<typename Stored>(const Stored* stored) {
    const scene3d::Samples<double, Stored> in{opacity.data(), stored, distances.data(), density ? lengths.data() : nullptr,
                                              samples, channels};
    std::vector<double> results[2];
    for (int emulated = 0; emulated < 2; ++emulated) {
      std::vector<double> seen(channels), ray(2), weights(samples), to_opacity(samples), to_features(samples * channels);
      std::vector<double> to_distances(samples), to_lengths(samples);
      const auto run = [&](const auto& lanes) {
        scene3d::composite_ray<0>(in, lanes, seen.data(), &ray[0], &ray[1], weights.data());
        const auto to_feature = [&](int64_t i, double weight) {
          for (int64_t c = lanes.lane(); c < channels; c += lanes.lanes) to_features[i * channels + c] = weight * to_seen[c];
        };
        scene3d::composite_ray_backward<0>(in, grad, lanes, to_opacity.data(), to_feature, to_distances.data(),
                                           to_lengths.data());
      };
      if (emulated) as_a_warp(run); else run(scene3d::OneLane{});
      for (const auto* part : {&seen, &ray, &weights, &to_opacity, &to_features, &to_distances, &to_lengths})
        results[emulated].insert(results[emulated].end(), part->begin(), part->end());
    }
    compare(results[0], results[1]);
    return results[0];
  });
}

void one_march(int64_t samples, int64_t hidden, int64_t octaves, bool capped, std::mt19937& random) {
  const int64_t encoded = 3 * (1 + 2 * octaves), height = 5, width = 7;
  const auto map = drawn(height * width * hidden, random, -1), weights = drawn(encoded * hidden, random, -1);
  const auto second = drawn(hidden, random, -1), bias = drawn(1, random, -1), origin = drawn(3, random, -1);
  const std::vector<double> K{8, 0, 7, 0, 8, 5, 0, 0, 1}, direction{0.1, -0.05, 0.99};
  std::vector<double> distances = drawn(samples, random);
  for (int64_t s = 0; s < samples; ++s) distances[s] += s;
  const scene3d::MarchRay<double> ray{origin.data(), direction.data(), distances.data(), samples, capped};
  const auto to_density = drawn(samples, random), to_weights = drawn(samples, random), to_hidden = drawn(hidden, random);
  const scene3d::MarchGradients<double> grad{to_density.data(), to_weights.data(), 0.4, to_hidden.data()};
  as_both_stored(map, [&]<typename Stored>(const Stored* stored) {
    const scene3d::PixelField<double, Stored> field{stored, K.data(), weights.data(), second.data(), bias.data(), height, width,
                                                    hidden, encoded, 10, 14, 2, 30};
    std::vector<double> results[2];
    for (int emulated = 0; emulated < 2; ++emulated) {
      std::vector<double> density(samples), weight(samples), unknown(1), sum(hidden), above(samples * hidden);
      std::vector<double> logit(samples), worth = to_weights, through(samples);
      std::vector<char> valid(samples);
      const auto run = [&](const auto& lanes) {
        scene3d::march_ray(field, ray, lanes, density.data(), weight.data(), unknown.data(), sum.data());
        int64_t sample = -1, last = -1;
        scene3d::march_ray_backward(field, ray, grad, lanes, logit.data(), reinterpret_cast<bool*>(valid.data()), worth.data(),
                                    through.data(), [&](const auto&, int64_t channel, double, double, double before) {
                                      if (channel <= last || last < 0) ++sample;
                                      last = channel;
                                      above[sample * hidden + channel] = before;
                                    });
      };
      if (emulated) as_a_warp(run); else run(scene3d::OneLane{});
      for (const auto* part : {&density, &weight, &unknown, &sum, &above, &worth, &through})
        results[emulated].insert(results[emulated].end(), part->begin(), part->end());
    }
    compare(results[0], results[1]);
    return results[0];
  });
}

// What is not shared out over lanes: samples in a view, and a hypothesis of a sweep.
void one_look(int64_t channels, std::mt19937& random) {
  const int64_t height = 5, width = 7, samples = 4;
  const auto map = drawn(height * width * channels, random, -1), points = drawn(samples * 3, random);
  const auto above = drawn(channels, random), weights = drawn(samples, random);
  const std::vector<double> to_pixels{4, 0, 3, 0, 0, 4, 2, 0, 0, 0, 1, 0};
  as_both_stored(map, [&]<typename Stored>(const Stored* stored) {
    const scene3d::View<double, Stored> view{stored, to_pixels.data(), nullptr, height, width};
    std::vector<double> found(channels + 1), to_weights(samples);
    scene3d::look_along_ray<0>(view, points.data(), weights.data(), samples, channels, found.data(), &found[channels]);
    scene3d::look_along_ray_backward<0>(view, points.data(), samples, channels, above.data(), 0.3, to_weights.data());
    const auto corners = scene3d::corners_at(3.2, 2.9, height, width);
    double w[4];
    corners.weights(w);
    for (int64_t c = 0; c < channels; ++c) found.push_back(scene3d::blend(corners, w, stored, channels, c));
    found.push_back(scene3d::sweep_cost<0, false>(stored, stored, corners, channels));
    found.push_back(scene3d::sweep_cost<0, true>(stored, stored, corners, channels));
    found.insert(found.end(), to_weights.begin(), to_weights.end());
    return found;
  });
}

}  // namespace

int main() {
  std::mt19937 random(0);
  for (int64_t samples : {0, 1, 2, 7, 33})
    for (int64_t channels : {1, 3, 31, 32, 33, 64, 70})
      for (bool density : {false, true}) one_composite(samples, channels, density, random);
  for (int64_t samples : {1, 2, 9})
    for (int64_t hidden : {1, 31, 32, 33, 70})
      for (int64_t octaves : {0, 1, 6}) one_march(samples, hidden, octaves, octaves == 1, random);
  for (int64_t channels : {1, 3, 33}) one_look(channels, random);
  std::printf("%g\n", worst);
  return worst < 1e-12 ? 0 : 1;
}
