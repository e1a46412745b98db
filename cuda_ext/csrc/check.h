// What the drivers say when an argument is not what they need, and how they look at tensors.
#pragma once

#include <torch/csrc/stable/library.h>
#include <torch/csrc/stable/ops.h>
#include <torch/csrc/stable/tensor.h>
#include <torch/headeronly/core/ScalarType.h>
#include <torch/headeronly/util/Exception.h>

#include <sstream>
#include <string>
#include <vector>

namespace scene3d {

using torch::stable::Tensor;
using Type = torch::headeronly::ScalarType;

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

inline void check_like(const char* op, const char* name, const Tensor& tensor, const Tensor& other, const char* of) {
  STD_TORCH_CHECK(tensor.scalar_type() == other.scalar_type(), op, ": ", name, ": expected the dtype of ", of,
                  ", got another; bring them to one dtype first");
  STD_TORCH_CHECK(tensor.is_cuda() == other.is_cuda() && tensor.get_device_index() == other.get_device_index(), op,
                  ": ", name, ": expected the device of ", of, ", got another");
}

inline void check_floating(const char* op, const char* name, const Tensor& tensor) {
  STD_TORCH_CHECK(tensor.scalar_type() == Type::Float || tensor.scalar_type() == Type::Double, op, ": ", name,
                  ": expected float32 or float64, got another dtype");
}

// Kernels walk plain rows of memory; whatever else comes is laid out anew once, before the loops.
inline Tensor rows(const Tensor& tensor) { return tensor.is_contiguous() ? tensor : torch::stable::contiguous(tensor); }

inline Tensor empty_like_shape(const Tensor& like, const std::vector<int64_t>& sizes) {
  return torch::stable::new_empty(like, sizes);
}

// A call through the stable ABI each: outside of inner loops.
template <typename T>
const T* read(const Tensor& tensor) {
  return static_cast<const T*>(tensor.const_data_ptr());
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

}  // namespace scene3d
