// Nested strided loops: what broadcasting, permuting and slicing come down to. The launcher merges axes, the
// kernel turns an element's number into one offset for each operand.
#pragma once

#include <array>
#include <stdexcept>
#include <string>

#include "kernels/binary.h"
#include "kernels/cuda/numeric.h"

namespace roentgen::kernels {

// Extents and, for each operand, strides in elements.
template <int operands>
struct Nest {
  int rank = 0;
  std::int64_t dims[max_rank] = {};
  std::int64_t strides[operands][max_rank] = {};

  // Leaves out axes of extent 1 and merges neighbours that every operand crosses in equal steps.
  Nest(int axes, const std::int64_t* extents, const std::array<const std::int64_t*, operands>& steps) {
    for (int axis = 0; axis < axes; ++axis) {
      if (extents[axis] == 1) continue;
      bool merges = rank > 0;
      for (int o = 0; o < operands && merges; ++o)
        merges = strides[o][rank - 1] == steps[static_cast<std::size_t>(o)][axis] * extents[axis];
      if (!merges) dims[rank++] = 1;
      dims[rank - 1] *= extents[axis];
      for (int o = 0; o < operands; ++o) strides[o][rank - 1] = steps[static_cast<std::size_t>(o)][axis];
    }
  }
  std::int64_t count() const {
    std::int64_t n = 1;
    for (int axis = 0; axis < rank; ++axis) n *= dims[axis];
    return n;
  }
  // One run of neighbours in every operand.
  bool contiguous() const {
    bool result = rank <= 1;
    for (int o = 0; o < operands && rank == 1; ++o) result = result && strides[o][0] == 1;
    return result;
  }
};

// The same for a kernel, of at most `most_items` elements.
template <int operands>
struct NestIndex {
  int rank;
  Divisor dims[max_rank];
  std::int64_t strides[operands][max_rank];

  explicit NestIndex(const Nest<operands>& nest) : rank(nest.rank) {
    for (int axis = 0; axis < rank; ++axis) {
      dims[axis] = Divisor(nest.dims[axis]);
      for (int o = 0; o < operands; ++o) strides[o][axis] = nest.strides[o][axis];
    }
  }
  struct Offsets {
    std::int64_t of[operands];
  };
  __device__ __forceinline__ Offsets operator()(std::uint32_t number) const {
    Offsets result{};
    for (int axis = rank - 1; axis >= 0; --axis) {
      const std::int64_t at = axis == 0 ? number : dims[axis].split(number);
      for (int o = 0; o < operands; ++o) result.of[o] += at * strides[o][axis];
    }
    return result;
  }
};

inline std::uint32_t checked_items(const char* op, std::int64_t n) {
  if (n <= most_items) return static_cast<std::uint32_t>(n);
  throw std::invalid_argument(std::string(op) + ": " + std::to_string(n) +
                              " elements are more than a CUDA kernel indexes (2^31 - 1)");
}

}  // namespace roentgen::kernels
