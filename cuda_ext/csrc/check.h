// What the drivers say when an argument is not what they need, and how they look at tensors.
#pragma once

#include <torch/csrc/stable/library.h>
#include <torch/csrc/stable/ops.h>
#include <torch/csrc/stable/tensor.h>
#include <torch/headeronly/core/ScalarType.h>
#include <torch/headeronly/util/Exception.h>

#include <initializer_list>
#include <optional>
#include <sstream>
#include <string>
#include <type_traits>
#include <vector>

namespace scene3d {

using torch::stable::Tensor;
using Maybe = std::optional<Tensor>;
using Type = torch::headeronly::ScalarType;
using Sizes = std::vector<int64_t>;
using Doubles = std::vector<double>;

inline std::string shape_of(const Tensor& tensor) {
  std::ostringstream text;
  text << "(";
  for (int64_t i = 0; i < tensor.dim(); ++i) text << (i ? ", " : "") << tensor.size(i);
  text << ")";
  return text.str();
}

// Sizes of -1 are free.
inline void check_shape(const char* op, const char* name, const Tensor& tensor, const std::vector<int64_t>& sizes) {
  bool fits = tensor.dim() == static_cast<int64_t>(sizes.size());
  for (size_t i = 0; fits && i < sizes.size(); ++i) fits = sizes[i] < 0 || tensor.size(i) == sizes[i];
  if (fits) return;
  std::ostringstream wanted;
  wanted << "(";
  for (size_t i = 0; i < sizes.size(); ++i) {
    wanted << (i ? ", " : "");
    if (sizes[i] < 0) wanted << "any"; else wanted << sizes[i];
  }
  wanted << ")";
  STD_TORCH_CHECK(false, op, ": ", name, ": expected shape ", wanted.str(), ", got ", shape_of(tensor));
}

// An argument by its name.
struct Named {
  const char* name;
  const Tensor& tensor;
};

inline void check_like(const char* op, std::initializer_list<Named> arguments, const Tensor& other, const char* of) {
  for (const auto& [name, tensor] : arguments) {
    STD_TORCH_CHECK(tensor.scalar_type() == other.scalar_type(), op, ": ", name, ": expected the dtype of ", of,
                    ", got another; bring them to one dtype first");
    STD_TORCH_CHECK(tensor.is_cuda() == other.is_cuda() && tensor.get_device_index() == other.get_device_index(), op,
                    ": ", name, ": expected the device of ", of, ", got another");
  }
}

inline void check_floating(const char* op, const char* name, const Tensor& tensor) {
  STD_TORCH_CHECK(tensor.scalar_type() == Type::Float || tensor.scalar_type() == Type::Double, op, ": ", name,
                  ": expected float32 or float64, got another dtype");
}

inline void check_type(const char* op, const char* name, const Tensor& tensor, Type type, const char* called) {
  STD_TORCH_CHECK(tensor.scalar_type() == type, op, ": ", name, ": expected ", called, ", got another dtype");
}

// Offsets of rays whose samples lie one after the other; returns the number of rays.
inline int64_t check_edges(const char* op, const Tensor& offsets) {
  check_shape(op, "offsets", offsets, {-1});
  check_type(op, "offsets", offsets, Type::Long, "int64");
  STD_TORCH_CHECK(offsets.size(0) >= 1, op, ": offsets: expected one more than rays, got none");
  return offsets.size(0) - 1;
}

// Kernels walk plain rows of memory; whatever else comes is laid out anew once, before the loops.
inline Tensor rows(const Tensor& tensor) { return tensor.is_contiguous() ? tensor : torch::stable::contiguous(tensor); }
inline Maybe rows(const Maybe& tensor) { return tensor ? Maybe(rows(*tensor)) : Maybe(); }

inline Tensor empty(const Tensor& like, const Sizes& sizes) { return torch::stable::new_empty(like, sizes); }
inline Tensor empty(const Tensor& like, const Sizes& sizes, Type type) { return torch::stable::new_empty(like, sizes, type); }
inline Tensor zeros(const Tensor& like, const Sizes& sizes) { return torch::stable::new_zeros(like, sizes); }

// A call through the stable ABI each: outside of inner loops.
template <typename T>
const T* read(const Tensor& tensor) {
  return static_cast<const T*>(tensor.const_data_ptr());
}

template <typename T>
const T* read(const Maybe& tensor) {
  return tensor ? read<T>(*tensor) : nullptr;
}

template <typename T>
T* write(Tensor& tensor) {
  return static_cast<T*>(tensor.mutable_data_ptr());
}

// Calls body(T{}) with the scalar type of a tensor that check_floating let pass.
template <typename Body>
void with_scalar(const Tensor& tensor, const Body& body) {
  if (tensor.scalar_type() == Type::Double) {
    body(double{});
  } else {
    body(float{});
  }
}

// Calls body with a number as a compile-time constant where it is one of these, else with 0.
template <int... COMMON, typename Body>
void with_count(int64_t count, const Body& body) {
  const bool known = ((count == COMMON && (body(std::integral_constant<int, COMMON>{}), true)) || ...);
  if (!known) body(std::integral_constant<int, 0>{});
}

// A driver holds an operator's loops, or its kernels, for one device; <op>_frame.h does the rest for all of them. This is
// what drivers for the CPU begin with; those for CUDA begin with OnDeviceOf (launch.cuh).
struct OnHost {
  explicit OnHost(const Tensor&) {}

  // The offsets decide what memory is touched, so they are looked at before it is.
  static void check_offsets(const char* op, const Tensor& offsets, int64_t rays, int64_t samples) {
    const int64_t* at = read<int64_t>(offsets);
    bool fits = at[0] == 0 && at[rays] == samples;
    for (int64_t ray = 0; fits && ray < rays; ++ray) fits = at[ray] <= at[ray + 1];
    STD_TORCH_CHECK(fits, op, ": offsets: expected to rise from 0 to ", samples, ", the number of samples, got others");
  }
};

}  // namespace scene3d
