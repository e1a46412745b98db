// A pixel-aligned field on the CPU: many points at a time, so that the network is a product of matrices, and a
// gradient whose sum has one order, whatever the number of threads.
#pragma once

#include <algorithm>
#include <cstring>
#include <vector>

#include "pixel_field_frame.h"
#include "small_product.h"

namespace scene3d {

// What drivers on such a field for the CPU begin with.
struct FieldOnHost : OnHost {
  using OnHost::OnHost;

  static void check_field(const char*, const FieldSizes&) {}
  static Tensor first_layer(const Tensor& from_position) { return from_position; }
};

// The network as the products want it: transposed, with columns of zeros up to a whole panel.
template <typename T>
struct FieldNetwork {
  int64_t columns;
  std::vector<T> from_position, to_density;

  explicit FieldNetwork(const FieldPointers<T>& field)
      : columns(padded(field.size.hidden, PANEL<T>)), from_position(field.size.encoded * columns), to_density(columns) {
    const int64_t encoded = field.size.encoded;
    for (int64_t c = 0; c < field.size.hidden; ++c) {
      to_density[c] = field.to_density[c];
      for (int64_t e = 0; e < encoded; ++e) from_position[e * columns + c] = field.from_position[c * encoded + e];
    }
  }
};

// Points that were looked at together; memory of a thread, used again and again.
template <typename T>
struct FieldBlock {
  const FieldNetwork<T>& network;
  std::vector<T> encoded, hidden, logit, corner;
  std::vector<int64_t> cell;
  std::vector<uint8_t> valid;

  FieldBlock(const FieldNetwork<T>& net, const FieldSizes& s, int64_t points)
      : network(net),
        encoded(points * s.encoded),
        hidden(points * net.columns),
        logit(points),
        corner(points * 4),
        cell(points * 4),
        valid(points) {}

  void look(const PixelField<T>& field, const T* points, int64_t count) {
    for (int64_t i = 0; i < count; ++i) {
      const Place<T> place = field.place(points + 3 * i);
      valid[i] = place.valid;
      place.corners.weights(corner.data() + 4 * i);
      std::copy_n(place.corners.cell, 4, cell.data() + 4 * i);
      encode(place.position, field.encoded, encoded.data() + i * field.encoded);
      fetch(field, i);
    }
    const int64_t columns = network.columns;
    add_product(encoded.data(), field.encoded, 1, network.from_position.data(), hidden.data(), count, field.encoded, columns);
    for (int64_t i = 0; i < count; ++i) {
      T* row = hidden.data() + i * columns;
      T sum = 0;
#pragma omp simd reduction(+ : sum)
      for (int64_t c = 0; c < columns; ++c) {
        row[c] = row[c] < 0 ? T(0) : row[c];
        sum += row[c] * network.to_density[c];
      }
      logit[i] = sum + *field.bias;
    }
  }

 private:
  void fetch(const PixelField<T>& field, int64_t i) {
    const T* w = corner.data() + 4 * i;
    const int64_t* at = cell.data() + 4 * i;
    const T *a = field.map + at[0] * field.hidden, *b = field.map + at[1] * field.hidden;
    const T *c = field.map + at[2] * field.hidden, *d = field.map + at[3] * field.hidden;
    T* row = hidden.data() + i * network.columns;
    for (int64_t k = 0; k < field.hidden; ++k) row[k] = w[0] * a[k] + w[1] * b[k] + w[2] * c[k] + w[3] * d[k];
    std::fill(row + field.hidden, row + network.columns, T(0));
  }
};

// Gradients to the map and to the network. Points come in turns: in each, `BLOCKS` blocks of points are worked on by
// all threads, then what they have for the map is added to it, each thread to rows of its own.
template <typename T>
class FieldGradient {
 public:
  static constexpr int64_t BLOCKS = 16;

  FieldGradient(const FieldSizes& s, const FieldNetwork<T>& network, int64_t block_points)
      : size_(s),
        columns_(network.columns),
        points_(block_points),
        to_map_(BLOCKS * block_points * network.columns),
        corner_(BLOCKS * block_points * 4),
        cell_(BLOCKS * block_points * 4),
        counts_(BLOCKS),
        sums_(BLOCKS * (s.encoded + 1) * network.columns),
        bias_(BLOCKS) {}

  // Adds jobs, `each` of them a block: add(memory, block, job) adds one, with memory of a thread that `make` gives.
  template <typename Make, typename Add>
  void add_all(int64_t jobs, int64_t each, const ToField<T>& to, const Make& make, const Add& add) {
    for (int64_t start = 0; start < jobs; start += BLOCKS * each) {
      std::fill(counts_.begin(), counts_.end(), 0);
      torch::stable::parallel_for(0, BLOCKS, 1, [&](int64_t begin, int64_t end) {
        auto memory = make();
        for (int64_t block = begin; block < end; ++block) {
          const int64_t first = start + block * each, last = std::min(first + each, jobs);
          for (int64_t job = first; job < last; ++job) add(memory, block, job);
        }
      });
      end_turn(to.folded);
    }
    network_sums(to);
  }

  // Adds points of scene `scene` to a block. `above(i)` is the gradient of the logit of point i, and add_hidden(i, row)
  // adds that of its hidden layer to a row which has what the logit gives.
  template <typename Above, typename AddHidden>
  void add(int64_t block, int64_t scene, const FieldBlock<T>& seen, int64_t count, const Above& above, const AddHidden& add_hidden) {
    const FieldNetwork<T>& network = seen.network;
    const int64_t first = block * points_ + counts_[block], cells = scene * size_.map_height * size_.map_width;
    T* sums = sums_.data() + block * (size_.encoded + 1) * columns_;
    T* to_density = sums + size_.encoded * columns_;
    for (int64_t i = 0; i < count; ++i) {
      const T to_logit = above(i);
      const T* hidden = seen.hidden.data() + i * columns_;
      T* row = to_map_.data() + (first + i) * columns_;
      for (int64_t c = 0; c < columns_; ++c) {
        row[c] = to_logit * network.to_density[c];
        to_density[c] += to_logit * hidden[c];
      }
      add_hidden(i, row);
      for (int64_t c = 0; c < columns_; ++c) row[c] = hidden[c] > 0 ? row[c] : T(0);
      bias_[block] += to_logit;
      for (int k = 0; k < 4; ++k) {
        corner_[(first + i) * 4 + k] = seen.corner[4 * i + k];
        cell_[(first + i) * 4 + k] = cells + seen.cell[4 * i + k];
      }
    }
    add_product(seen.encoded.data(), 1, size_.encoded, to_map_.data() + first * columns_, sums, size_.encoded, count, columns_);
    counts_[block] += count;
  }

 private:
  void end_turn(T* to_folded) const {
    const int64_t all = size_.batch * size_.map_height;
    const int64_t owners = std::min<int64_t>(torch::stable::get_num_threads(), std::max<int64_t>(all, 1));
    torch::stable::parallel_for(0, owners, 1, [&](int64_t begin, int64_t end) {
      for (int64_t owner = begin; owner < end; ++owner)
        add_to_cells(to_folded, owner * all / owners * size_.map_width, (owner + 1) * all / owners * size_.map_width);
    });
  }

  void network_sums(const ToField<T>& to) const {
    std::fill_n(to.from_position, size_.hidden * size_.encoded, T(0));
    std::fill_n(to.to_density, size_.hidden, T(0));
    *to.bias = 0;
    for (int64_t block = 0; block < BLOCKS; ++block) {
      const T* sums = sums_.data() + block * (size_.encoded + 1) * columns_;
      for (int64_t c = 0; c < size_.hidden; ++c) {
        for (int64_t e = 0; e < size_.encoded; ++e) to.from_position[c * size_.encoded + e] += sums[e * columns_ + c];
        to.to_density[c] += sums[size_.encoded * columns_ + c];
      }
      *to.bias += bias_[block];
    }
  }

  void add_to_cells(T* to_folded, int64_t from, int64_t to) const {
    for (int64_t block = 0; block < BLOCKS; ++block) {
      for (int64_t i = block * points_; i < block * points_ + counts_[block]; ++i) {
        const T* row = to_map_.data() + i * columns_;
        for (int64_t k = 4 * i; k < 4 * i + 4; ++k) {
          if (cell_[k] < from || cell_[k] >= to || corner_[k] == 0) continue;
          T* cell = to_folded + cell_[k] * size_.hidden;
          for (int64_t c = 0; c < size_.hidden; ++c) cell[c] += corner_[k] * row[c];
        }
      }
    }
  }

  FieldSizes size_;
  int64_t columns_, points_;
  std::vector<T> to_map_, corner_;
  std::vector<int64_t> cell_, counts_;
  std::vector<T> sums_, bias_;
};

}  // namespace scene3d
