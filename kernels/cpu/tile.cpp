#include "kernels/cpu/tile.h"

#include <array>
#include <utility>

namespace roentgen::kernels {
namespace {

// As many rows as leave registers for the vectors of b and one broadcast.
constexpr int max_rows(int vectors) {
  return std::min(14, (vector_registers - 1 - vectors) / vectors);
}

template <int rows, int vectors>
void tile(const TileOperands& t) {
  Vec sum[rows][vectors];
#pragma GCC unroll 16
  for (int i = 0; i < rows; ++i)
#pragma GCC unroll 16
    for (int j = 0; j < vectors; ++j)
      sum[i][j] = t.accumulate ? load(t.c + i * t.c_row + j * lanes)
                  : t.start    ? load(t.start + j * lanes)
                               : Vec{};
  const std::int64_t a_row = t.a_row, a_inner = t.a_inner, b_inner = t.b_inner;
  for (std::int64_t o = 0; o < t.outer; ++o) {
    const float* a = t.a + o * t.a_outer;
    const float* b = t.b + o * t.b_outer;
    for (std::int64_t l = 0; l < t.inner; ++l, a += a_inner, b += b_inner) {
      Vec w[vectors];
#pragma GCC unroll 16
      for (int j = 0; j < vectors; ++j) w[j] = load(b + j * lanes);
#pragma GCC unroll 16
      for (int i = 0; i < rows; ++i) {
        const float x = a[i * a_row];
#pragma GCC unroll 16
        for (int j = 0; j < vectors; ++j) sum[i][j] += x * w[j];
      }
    }
  }
#pragma GCC unroll 16
  for (int i = 0; i < rows; ++i)
#pragma GCC unroll 16
    for (int j = 0; j < vectors; ++j) store(t.c + i * t.c_row + j * lanes, sum[i][j]);
}

using TileFunction = void (*)(const TileOperands&);

template <int vectors, int... less>
constexpr auto row_table(std::integer_sequence<int, less...>) {
  return std::array<TileFunction, 14>{&tile<less + 1, vectors>...};
}
template <int... less>
constexpr auto table(std::integer_sequence<int, less...>) {
  return std::array<std::array<TileFunction, 14>, max_tile_vectors>{
      row_table<less + 1>(std::make_integer_sequence<int, max_rows(less + 1)>{})...};
}
constexpr auto tiles = table(std::make_integer_sequence<int, max_tile_vectors>{});

}  // namespace

void tile_rows(std::int64_t rows, int vectors, TileOperands operands) {
  const Split split(rows, max_rows(vectors));
  const auto& functions = tiles[static_cast<std::size_t>(vectors - 1)];
  for (std::int64_t i = 0; i < split.pieces; ++i) {
    const std::int64_t size = split.size(i);
    functions[static_cast<std::size_t>(size - 1)](operands);
    operands.a += size * operands.a_row;
    operands.c += size * operands.c_row;
  }
}

}  // namespace roentgen::kernels
