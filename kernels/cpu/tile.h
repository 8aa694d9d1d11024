// The one inner loop of convolutions and matrix products: a block of outputs held in registers.
#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/cpu/simd.h"

namespace roentgen::kernels {

// c[i][j] = start[j] + sum over o < outer, l < inner of
//           a[i * a_row + o * a_outer + l * a_inner] * b[o * b_outer + l * b_inner + j].
// start == nullptr counts as zeros; `accumulate` starts from c instead.
struct TileOperands {
  std::int64_t outer = 1, inner = 0;
  const float* a = nullptr;
  std::int64_t a_row = 0, a_outer = 0, a_inner = 0;
  const float* b = nullptr;
  std::int64_t b_outer = 0, b_inner = 0;
  float* c = nullptr;
  std::int64_t c_row = 0;
  const float* start = nullptr;
  bool accumulate = false;
};

// Columns are handled in whole vectors, so many at once at most.
inline constexpr int max_tile_vectors = vector_registers == 32 ? 4 : 2;

// All of c: `rows` rows of `vectors` <= max_tile_vectors vectors.
void tile_rows(std::int64_t rows, int vectors, TileOperands operands);

// Cuts n into the fewest pieces of at most `most`, as even as can be. Piece i is [begin(i), begin(i + 1)).
struct Split {
  std::int64_t n, pieces;
  Split(std::int64_t total, std::int64_t most) : n(total), pieces((total + most - 1) / most) {}
  static Split into(std::int64_t total, std::int64_t count) {
    Split split(0, 1);
    split.n = total;
    split.pieces = count;
    return split;
  }
  std::int64_t begin(std::int64_t i) const { return i * n / pieces; }
  std::int64_t size(std::int64_t i) const { return begin(i + 1) - begin(i); }
};

}  // namespace roentgen::kernels
