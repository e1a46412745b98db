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

inline const char* name_of(Type type) {
  switch (type) {
    case Type::Float: return "float32";
    case Type::Double: return "float64";
    case Type::Half: return "float16";
    case Type::BFloat16: return "bfloat16";
    case Type::Long: return "int64";
    case Type::Int: return "int32";
    case Type::Bool: return "bool";
    default: return "another dtype";
  }
}

template <typename T>
constexpr Type TYPE = c10::CppTypeToScalarType<T>::value;

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

inline void check_device(const char* op, const Named& argument, const Tensor& other, const char* of) {
  const Tensor& tensor = argument.tensor;
  STD_TORCH_CHECK(tensor.is_cuda() == other.is_cuda() && tensor.get_device_index() == other.get_device_index(), op, ": ",
                  argument.name, ": expected the device of ", of, ", got another");
}

inline void check_like(const char* op, std::initializer_list<Named> arguments, const Tensor& other, const char* of) {
  for (const Named& each : arguments) {
    STD_TORCH_CHECK(each.tensor.scalar_type() == other.scalar_type(), op, ": ", each.name, ": expected the dtype of ", of, ", ",
                    name_of(other.scalar_type()), ", got ", name_of(each.tensor.scalar_type()), "; bring them to one dtype first");
    check_device(op, each, other, of);
  }
}

// What is only stored may be so in half the precision of what is computed.
inline void check_stored(const char* op, std::initializer_list<Named> arguments, const Tensor& other, const char* of) {
  const bool single = other.scalar_type() == Type::Float;
  for (const Named& each : arguments) {
    const Type type = each.tensor.scalar_type();
    STD_TORCH_CHECK(type == other.scalar_type() || (single && (type == Type::Half || type == Type::BFloat16)), op, ": ",
                    each.name, ": expected ", single ? "float32, float16 or bfloat16" : "float64", " beside ", of, " in ",
                    name_of(other.scalar_type()), ", got ", name_of(type));
    check_device(op, each, other, of);
  }
}

inline void check_floating(const char* op, const char* name, const Tensor& tensor) {
  STD_TORCH_CHECK(tensor.scalar_type() == Type::Float || tensor.scalar_type() == Type::Double, op, ": ", name,
                  ": expected float32 or float64, got ", name_of(tensor.scalar_type()));
}

inline void check_type(const char* op, const char* name, const Tensor& tensor, Type type) {
  STD_TORCH_CHECK(tensor.scalar_type() == type, op, ": ", name, ": expected ", name_of(type), ", got ",
                  name_of(tensor.scalar_type()));
}

// Offsets of rays whose samples lie one after the other; returns the number of rays.
inline int64_t check_edges(const char* op, const Tensor& offsets) {
  check_shape(op, "offsets", offsets, {-1});
  check_type(op, "offsets", offsets, Type::Long);
  STD_TORCH_CHECK(offsets.size(0) >= 1, op, ": offsets: expected one more than rays, got none");
  return offsets.size(0) - 1;
}

inline Tensor rows(const Tensor& tensor) { return tensor.is_contiguous() ? tensor : torch::stable::contiguous(tensor); }

inline Tensor empty(const Tensor& like, const Sizes& sizes) { return torch::stable::new_empty(like, sizes); }
inline Tensor empty(const Tensor& like, const Sizes& sizes, Type type) { return torch::stable::new_empty(like, sizes, type); }
inline Tensor zeros(const Tensor& like, const Sizes& sizes) { return torch::stable::new_zeros(like, sizes); }

// A call through the stable ABI each: outside of inner loops.
template <typename T>
const T* read(const Tensor& tensor) {
  return static_cast<const T*>(tensor.const_data_ptr());
}

template <typename T>
T* write(Tensor& tensor) {
  return static_cast<T*>(tensor.mutable_data_ptr());
}

// Arguments as kernels walk them: plain rows of memory in the type that they read. Whatever else comes is laid out or raised
// anew once, before the loops, and kept for as long as this lives.
class Rows {
 public:
  template <typename T>
  const T* of(const Tensor& tensor) {
    kept_.push_back(rows(tensor.scalar_type() == TYPE<T> ? tensor : torch::stable::to(tensor, TYPE<T>)));
    return read<T>(kept_.back());
  }

  template <typename T>
  const T* of(const Maybe& tensor) {
    return tensor ? of<T>(*tensor) : nullptr;
  }

 private:
  std::vector<Tensor> kept_;
};

// Calls body(T{}) with the scalar type of a tensor that check_floating let pass.
template <typename Body>
void with_scalar(const Tensor& tensor, const Body& body) {
  if (tensor.scalar_type() == Type::Double) {
    body(double{});
  } else {
    body(float{});
  }
}

// Calls body(T{}, S{}): computed in T, with features in S.
template <typename Driver, typename Body>
void with_types(const Tensor& computed, const Tensor& stored, const Body& body) {
  with_scalar(computed, [&](auto zero) { Driver::with_stored(zero, stored, body); });
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

  // Calls body(zero, S{}) with the type that features are read in. Here it is what is computed in: what is stored in less is
  // raised first (Rows), which is one pass over a map that is then fetched from many times.
  template <typename T, typename Body>
  static void with_stored(T zero, const Tensor&, const Body& body) {
    body(zero, zero);
  }

  // The offsets decide what memory is touched, so they are looked at before it is.
  static void check_offsets(const char* op, const int64_t* at, int64_t rays, int64_t samples) {
    bool fits = at[0] == 0 && at[rays] == samples;
    for (int64_t ray = 0; fits && ray < rays; ++ray) fits = at[ray] <= at[ray + 1];
    STD_TORCH_CHECK(fits, op, ": offsets: expected to rise from 0 to ", samples, ", the number of samples, got others");
  }
};

}  // namespace scene3d
