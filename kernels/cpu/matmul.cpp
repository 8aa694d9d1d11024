// Matrix products by blocks packed to float, and the dense layer, whose forward with few rows is bound by
// reading the weights once and is split along its inputs instead.
#include "kernels/matmul.h"

#include <algorithm>
#include <array>
#include <type_traits>
#include <utility>

#include "kernels/cpu/parallel.h"
#include "kernels/cpu/scratch.h"
#include "kernels/cpu/tile.h"

namespace roentgen::kernels {
namespace {

constexpr std::int64_t block_m = 240, block_n = 256, block_k = 128;
constexpr std::int64_t group_columns = max_tile_vectors * lanes;

// op(a) and op(b) read through strides; c [m, n] of type C, rows one after the other.
template <class T, class C>
struct Product {
  std::int64_t m, n, k;
  const T* a;
  std::int64_t a_row, a_column;
  const T* b;
  std::int64_t b_row, b_column;
  C* c;
};

// packed [groups of columns][k][group_columns] = rows and columns of b, zeros beyond the last column.
template <class T, class C>
void pack_b(const Product<T, C>& p, std::int64_t row, std::int64_t rows, std::int64_t col, std::int64_t cols,
            float* packed) {
  for (std::int64_t group = 0; group < cols; group += group_columns) {
    const std::int64_t width = std::min(group_columns, cols - group);
    const T* from = p.b + row * p.b_row + (col + group) * p.b_column;
    if (p.b_column == 1) {
      for (std::int64_t i = 0; i < rows; ++i)
        for (std::int64_t j = 0; j < width; ++j)
          packed[i * group_columns + j] = static_cast<float>(from[i * p.b_row + j]);
    } else {
      for (std::int64_t j = 0; j < width; ++j)
        for (std::int64_t i = 0; i < rows; ++i)
          packed[i * group_columns + j] = static_cast<float>(from[i * p.b_row + j * p.b_column]);
    }
    for (std::int64_t i = 0; width < group_columns && i < rows; ++i)
      std::fill(packed + i * group_columns + width, packed + (i + 1) * group_columns, 0.0f);
    packed += rows * group_columns;
  }
}

template <class T, class C>
void multiply_block(const Product<T, C>& p, std::int64_t row, std::int64_t rows, std::int64_t col,
                    std::int64_t cols) {
  const std::int64_t width = round_up(cols, group_columns);
  const bool in_place = std::is_same_v<C, float> && width == cols;
  float* packed = scratch<float>(Slot::input, block_k * width);
  float* sums = in_place ? nullptr : scratch<float>(Slot::output, rows * width);
  if constexpr (std::is_same_v<C, float>)
    if (in_place) sums = p.c + row * p.n + col;
  const std::int64_t sums_row = in_place ? p.n : width;
  for (std::int64_t k = 0; k < std::max<std::int64_t>(1, p.k); k += block_k) {
    const std::int64_t depth = std::min(block_k, p.k - k);
    pack_b(p, k, depth, col, cols, packed);
    TileOperands t;
    t.inner = depth;
    if constexpr (std::is_same_v<T, float>) {
      t.a = p.a + row * p.a_row + k * p.a_column;
      t.a_row = p.a_row;
      t.a_inner = p.a_column;
    } else {
      float* a = scratch<float>(Slot::gradient, rows * depth);
      for (std::int64_t i = 0; i < rows; ++i)
        for (std::int64_t l = 0; l < depth; ++l)
          a[i * depth + l] = static_cast<float>(p.a[(row + i) * p.a_row + (k + l) * p.a_column]);
      t.a = a;
      t.a_row = depth;
      t.a_inner = 1;
    }
    t.b_inner = group_columns;
    t.c_row = sums_row;
    t.accumulate = k > 0;
    for (std::int64_t group = 0; group < width; group += group_columns) {
      t.b = packed + group * depth;
      t.c = sums + group;
      tile_rows(rows, max_tile_vectors, t);
    }
  }
  if (!in_place)
    for (std::int64_t i = 0; i < rows; ++i)
      for (std::int64_t j = 0; j < cols; ++j)
        p.c[(row + i) * p.n + col + j] = static_cast<C>(sums[i * width + j]);
}

template <class Make>
void multiply_all(std::int64_t batch, std::int64_t m, std::int64_t n, Make&& make) {
  if (batch == 0 || m == 0 || n == 0) return;
  const Split m_blocks(m, block_m);
  const std::int64_t n_blocks = (n + block_n - 1) / block_n;
  parallel_for(batch * m_blocks.pieces * n_blocks, [&](std::int64_t task) {
    const std::int64_t i = task / n_blocks % m_blocks.pieces, col = task % n_blocks * block_n;
    multiply_block(make(task / n_blocks / m_blocks.pieces), m_blocks.begin(i), m_blocks.size(i), col,
                   std::min(block_n, n - col));
  });
}

// Inputs of a dense layer that one task sums over, and rows up to which the layer is split like that.
constexpr std::int64_t chunk_in = 1024, few_rows = 32;

constexpr int dot_rows = vector_registers == 32 ? 4 : 2, dot_outs = vector_registers == 32 ? 6 : 4;

// sums [rows][sums_row] = dot products of x's rows with w's over n inputs, R x O of them in registers.
template <int R, int O, class T>
void dots(const T* x, const T* w, std::int64_t in, std::int64_t n, float* sums, std::int64_t sums_row) {
  Vec sum[R][O] = {};
  std::int64_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    Vec a[R];
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) a[r] = load(x + r * in + i);
#pragma GCC unroll 8
    for (int o = 0; o < O; ++o) {
      const Vec b = load(w + o * in + i);
#pragma GCC unroll 8
      for (int r = 0; r < R; ++r) sum[r][o] += a[r] * b;
    }
  }
  for (int r = 0; r < R; ++r)
    for (int o = 0; o < O; ++o) {
      float total = 0;
      for (int l = 0; l < lanes; ++l) total += sum[r][o][l];
      for (std::int64_t j = i; j < n; ++j)
        total += static_cast<float>(x[r * in + j]) * static_cast<float>(w[o * in + j]);
      sums[r * sums_row + o] = total;
    }
}

// &dots<rows, outs, T> for all rows <= dot_rows, outs <= dot_outs, at (rows - 1) * dot_outs + outs - 1.
template <class T, int... i>
constexpr auto dots_table(std::integer_sequence<int, i...>) {
  return std::array{&dots<i / dot_outs + 1, i % dot_outs + 1, T>...};
}

template <class T>
void dot_chunk(const LinearShape& s, const T* x, const T* w, std::int64_t n, float* sums) {
  static constexpr auto table = dots_table<T>(std::make_integer_sequence<int, dot_rows * dot_outs>{});
  const Split outs(s.out, dot_outs), rows(s.rows, dot_rows);
  for (std::int64_t i = 0; i < outs.pieces; ++i)
    for (std::int64_t j = 0; j < rows.pieces; ++j) {
      const std::int64_t o = outs.begin(i), r = rows.begin(j);
      const auto run = table[static_cast<std::size_t>((rows.size(j) - 1) * dot_outs + outs.size(i) - 1)];
      run(x + r * s.in, w + o * s.in, s.in, n, sums + r * s.out + o, s.out);
    }
}

}  // namespace

template <class T>
void matmul(Cpu, const MatmulShape& s, const T* a, const T* b, T* c) {
  multiply_all(s.batch, s.m, s.n, [&](std::int64_t i) {
    return Product<T, T>{s.m,
                         s.n,
                         s.k,
                         a + i * s.a_stride,
                         s.transpose_a ? 1 : s.k,
                         s.transpose_a ? s.m : 1,
                         b + i * s.b_stride,
                         s.transpose_b ? 1 : s.n,
                         s.transpose_b ? s.k : 1,
                         c + i * s.m * s.n};
  });
}

template <class T>
void linear_forward(Cpu, const LinearShape& s, const T* x, const T* w, const Master<T>* bias, T* y) {
  const std::int64_t outputs = s.rows * s.out;
  if (outputs == 0) return;
  const auto with_bias = [&](std::int64_t i, float value) {
    y[i] = static_cast<T>(bias ? value + bias[i % s.out] : value);
  };
  if (s.rows > few_rows) {
    const Workspace<float> sums(outputs);
    multiply_all(1, s.rows, s.out, [&](std::int64_t) {
      return Product<T, float>{s.rows, s.out, s.in, x, s.in, 1, w, 1, s.in, sums.data()};
    });
    parallel_ranges(outputs, 1 << 14, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) with_bias(i, sums.data()[i]);
    });
    return;
  }
  const std::int64_t chunks = (s.in + chunk_in - 1) / chunk_in;
  const Workspace<float> partials(chunks * outputs);
  parallel_for(chunks, [&](std::int64_t chunk) {
    const std::int64_t first = chunk * chunk_in;
    dot_chunk(s, x + first, w + first, std::min(chunk_in, s.in - first), partials.data() + chunk * outputs);
  });
  parallel_ranges(outputs, 256, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      float value = 0;
      for (std::int64_t chunk = 0; chunk < chunks; ++chunk) value += partials.data()[chunk * outputs + i];
      with_bias(i, value);
    }
  });
}

template <class T>
void linear_backward_data(Cpu, const LinearShape& s, const T* dy, const T* w, T* dx) {
  multiply_all(1, s.rows, s.in, [&](std::int64_t) {
    return Product<T, T>{s.rows, s.in, s.out, dy, s.out, 1, w, s.in, 1, dx};
  });
}

template <class T>
void linear_backward_weights(Cpu, const LinearShape& s, const T* x, const T* dy, Master<T>* dw,
                             Master<T>* dbias) {
  multiply_all(1, s.out, s.in, [&](std::int64_t) {
    return Product<T, float>{s.out, s.in, s.rows, dy, 1, s.out, x, s.in, 1, dw};
  });
  if (!dbias) return;
  std::fill_n(dbias, s.out, 0.0f);
  for (std::int64_t row = 0; row < s.rows; ++row)
    for (std::int64_t o = 0; o < s.out; ++o) dbias[o] += static_cast<float>(dy[row * s.out + o]);
}

template void matmul<float>(Cpu, const MatmulShape&, const float*, const float*, float*);
template void matmul<bfloat16>(Cpu, const MatmulShape&, const bfloat16*, const bfloat16*, bfloat16*);
template void linear_forward<float>(Cpu, const LinearShape&, const float*, const float*, const float*,
                                    float*);
template void linear_forward<bfloat16>(Cpu, const LinearShape&, const bfloat16*, const bfloat16*,
                                       const float*, bfloat16*);
template void linear_backward_data<float>(Cpu, const LinearShape&, const float*, const float*, float*);
template void linear_backward_data<bfloat16>(Cpu, const LinearShape&, const bfloat16*, const bfloat16*,
                                             bfloat16*);
template void linear_backward_weights<float>(Cpu, const LinearShape&, const float*, const float*, float*,
                                             float*);
template void linear_backward_weights<bfloat16>(Cpu, const LinearShape&, const bfloat16*, const bfloat16*,
                                                float*, float*);

}  // namespace roentgen::kernels
