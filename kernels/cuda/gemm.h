// c(m, n) = sum over k of a(m, k) b(k, n), accumulated in float: the core of dense layers and convolutions.
//
// What a and b are is up to two operands, which a kernel asks for one value at a time:
//   Line line(i)               what there is to know of row m of a, or of column n of b
//   Depth depth(k)             likewise of k
//   float at(Line, Depth)      the value; 0 where either lies outside
//   operand for_batch(b)       the operand of matrix b of a batch
//   bool along_k               whether neighbours in memory differ in k, rather than in m or n
// and store(batch, m, n, sum) takes the result. The order of additions depends on the shape alone.
#pragma once

#include "kernels/cuda/nest.h"

namespace roentgen::kernels {

struct GemmShape {
  std::uint32_t batch, m, n, k;
  // Of the sum over k, so that few results still fill the GPU. k_per_split is a multiple of tile_k.
  std::uint32_t splits, k_per_split;
};

// A matrix in memory, seen with strides.
template <class T>
struct Matrix {
  const T* data;
  std::uint32_t lines, depths;
  std::int64_t line_stride, depth_stride, batch_stride;
  bool along_k;

  using Line = std::int64_t;
  using Depth = std::int64_t;
  static constexpr std::int64_t outside = -1;
  __device__ __forceinline__ Line line(std::uint32_t i) const {
    return i < lines ? i * line_stride : outside;
  }
  __device__ __forceinline__ Depth depth(std::uint32_t k) const {
    return k < depths ? k * depth_stride : outside;
  }
  __device__ __forceinline__ float at(Line line, Depth depth) const {
    return line == outside || depth == outside ? 0.0f : widen(data[line + depth]);
  }
  __device__ __forceinline__ Matrix for_batch(std::uint32_t batch) const {
    Matrix result = *this;
    result.data += batch * batch_stride;
    return result;
  }
};

// `lines` rows of `depths` values each, contiguous; or, turned, `depths` rows of `lines` values.
template <class T>
Matrix<T> matrix(const T* data, std::int64_t lines, std::int64_t depths, bool turned,
                 std::int64_t batch_stride = 0) {
  return {data,
          checked_items("matmul", lines),
          checked_items("matmul", depths),
          turned ? 1 : depths,
          turned ? lines : 1,
          batch_stride,
          !turned};
}

// A block computes tile_m x tile_n results, 16 values of k at a time, in groups of four per thread.
template <int tile_m_, int tile_n_, int per_m_, int per_n_>
struct Tiling {
  static constexpr int tile_m = tile_m_, tile_n = tile_n_, tile_k = 16, per_m = per_m_, per_n = per_n_;
  static constexpr int threads_n = tile_n / per_n, threads = tile_m / per_m * threads_n;
  static_assert(threads % 32 == 0 && threads % tile_m == 0 && threads % tile_n == 0);
  // Row or column of a thread's i-th value: the groups lie apart, so that a warp reads neighbouring groups.
  static constexpr __device__ int place(int thread, int i, int tile, int per) {
    return i / 4 * (tile / (per / 4)) + thread * 4 + i % 4;
  }
};
using SquareTiling = Tiling<64, 64, 8, 8>;
using FlatTiling = Tiling<16, 64, 4, 4>;  // for a batch of 16 rows

// A thread's share of one operand's tile: read from global memory, later written to shared memory as
// to[k][line]. Its neighbours in the warp read neighbours in memory.
template <class Shape, int tile, class Operand>
struct Fetch {
  static constexpr int count = tile * Shape::tile_k / Shape::threads;
  static constexpr int k_step = Shape::threads / tile, line_step = Shape::threads / Shape::tile_k;
  float values[count];

  __device__ __forceinline__ void read(const Operand& operand, const typename Operand::Line (&lines)[tile],
                                       std::uint32_t k0) {
    const int t = static_cast<int>(threadIdx.x);
    if (operand.along_k) {
      const std::uint32_t k = k0 + static_cast<std::uint32_t>(t % Shape::tile_k);
      const typename Operand::Depth depth = operand.depth(k);
#pragma unroll
      for (int i = 0; i < count; ++i) values[i] = operand.at(lines[t / Shape::tile_k + i * line_step], depth);
    } else {
      const typename Operand::Line line = lines[t % tile];
#pragma unroll
      for (int i = 0; i < count; ++i) {
        const std::uint32_t k = k0 + static_cast<std::uint32_t>(t / tile + i * k_step);
        values[i] = operand.at(line, operand.depth(k));
      }
    }
  }
  template <int width>
  __device__ __forceinline__ void write(const Operand& operand, float (&to)[Shape::tile_k][width]) const {
    const int t = static_cast<int>(threadIdx.x);
#pragma unroll
    for (int i = 0; i < count; ++i) {
      if (operand.along_k)
        to[t % Shape::tile_k][t / Shape::tile_k + i * line_step] = values[i];
      else
        to[t / tile + i * k_step][t % tile] = values[i];
    }
  }
};

// Grid (tiles, splits, batch).
template <class Shape, class A, class B, class Store>
__global__ void __launch_bounds__(Shape::threads)
    gemm_kernel(GemmShape g, A a_all, B b_all, Store store, float* partial) {
  constexpr int tile_m = Shape::tile_m, tile_n = Shape::tile_n, per_m = Shape::per_m, per_n = Shape::per_n;
  struct alignas(16) Shared {
    float a[Shape::tile_k][tile_m + 4], b[Shape::tile_k][tile_n + 4];
    typename A::Line a_lines[tile_m];
    typename B::Line b_lines[tile_n];
  };
  Shared& s = shared<Shared>();
  const int t = static_cast<int>(threadIdx.x), thread_m = t / Shape::threads_n,
            thread_n = t % Shape::threads_n;
  const std::uint32_t tiles_n = (g.n + tile_n - 1) / tile_n;
  const std::uint32_t m0 = blockIdx.x / tiles_n * tile_m, n0 = blockIdx.x % tiles_n * tile_n;
  const std::uint32_t k_begin = blockIdx.y * g.k_per_split, k_end = min(k_begin + g.k_per_split, g.k);
  const A a = a_all.for_batch(blockIdx.z);
  const B b = b_all.for_batch(blockIdx.z);
  for (int i = t; i < tile_m; i += Shape::threads) s.a_lines[i] = a.line(m0 + static_cast<std::uint32_t>(i));
  for (int i = t; i < tile_n; i += Shape::threads) s.b_lines[i] = b.line(n0 + static_cast<std::uint32_t>(i));
  __syncthreads();

  float sums[per_m][per_n] = {};
  Fetch<Shape, tile_m, A> fetch_a;
  Fetch<Shape, tile_n, B> fetch_b;
  fetch_a.read(a, s.a_lines, k_begin);
  fetch_b.read(b, s.b_lines, k_begin);
  for (std::uint32_t k0 = k_begin; k0 < k_end; k0 += Shape::tile_k) {
    __syncthreads();  // the last tile has been used
    fetch_a.write(a, s.a);
    fetch_b.write(b, s.b);
    __syncthreads();
    if (k0 + Shape::tile_k < k_end) {  // on their way while this tile is multiplied
      fetch_a.read(a, s.a_lines, k0 + Shape::tile_k);
      fetch_b.read(b, s.b_lines, k0 + Shape::tile_k);
    }
#pragma unroll
    for (int k = 0; k < Shape::tile_k; ++k) {
      Pack<float, 4> left[per_m / 4], right[per_n / 4];
#pragma unroll
      for (int i = 0; i < per_m; i += 4)
        left[i / 4] = load_pack<float, 4>(&s.a[k][Shape::place(thread_m, i, tile_m, per_m)]);
#pragma unroll
      for (int j = 0; j < per_n; j += 4)
        right[j / 4] = load_pack<float, 4>(&s.b[k][Shape::place(thread_n, j, tile_n, per_n)]);
#pragma unroll
      for (int i = 0; i < per_m; ++i)
#pragma unroll
        for (int j = 0; j < per_n; ++j)
          sums[i][j] = fmaf(left[i / 4].at[i % 4], right[j / 4].at[j % 4], sums[i][j]);
    }
  }

#pragma unroll
  for (int i = 0; i < per_m; ++i)
#pragma unroll
    for (int j = 0; j < per_n; ++j) {
      const std::uint32_t m = m0 + static_cast<std::uint32_t>(Shape::place(thread_m, i, tile_m, per_m));
      const std::uint32_t n = n0 + static_cast<std::uint32_t>(Shape::place(thread_n, j, tile_n, per_n));
      if (m >= g.m || n >= g.n) continue;
      if (g.splits == 1) {
        store(blockIdx.z, m, n, sums[i][j]);
      } else {
        const std::int64_t matrix_number = static_cast<std::int64_t>(blockIdx.z) * g.splits + blockIdx.y;
        partial[(matrix_number * g.m + m) * g.n + n] = sums[i][j];
      }
    }
}

template <class Store>
__global__ void __launch_bounds__(block_threads)
    gemm_finish_kernel(GemmShape g, Store store, const float* partial) {
  const std::int64_t size = static_cast<std::int64_t>(g.m) * g.n;
  for (std::int64_t i = thread_number(); i < size * g.batch; i += thread_count()) {
    const std::int64_t batch = i / size, at = i % size;
    float sum = 0;
    for (std::uint32_t split = 0; split < g.splits; ++split)
      sum += partial[(batch * g.splits + split) * size + at];
    store(static_cast<std::uint32_t>(batch), static_cast<std::uint32_t>(at / g.n),
          static_cast<std::uint32_t>(at % g.n), sum);
  }
}

template <class Shape, class A, class B, class Store>
void gemm_tiled(Cuda device, GemmShape g, const A& a, const B& b, const Store& store) {
  const std::int64_t tiles = divide_up(g.m, Shape::tile_m) * divide_up(g.n, Shape::tile_n);
  const std::int64_t wanted =
      std::clamp<std::int64_t>(512 / (tiles * g.batch), 1, std::max<std::int64_t>(g.k / 256, 1));
  g.k_per_split =
      static_cast<std::uint32_t>(divide_up(divide_up(g.k, wanted), Shape::tile_k) * Shape::tile_k);
  g.splits = g.k == 0 ? 1 : static_cast<std::uint32_t>(divide_up(g.k, g.k_per_split));
  const Scratch<float> partial(device, g.splits > 1 ? std::int64_t{g.splits} * g.batch * g.m * g.n : 0);
  launch(device, gemm_kernel<Shape, A, B, Store>, dim3(checked_items("matmul", tiles), g.splits, g.batch),
         Shape::threads, g, a, b, store, partial.data());
  if (g.splits > 1) {
    launch(device, gemm_finish_kernel<Store>, blocks_for(std::int64_t{g.batch} * g.m * g.n), block_threads, g,
           store, static_cast<const float*>(partial.data()));
  }
}

// At most 65535 matrices in a batch.
template <class A, class B, class Store>
void gemm(Cuda device, std::int64_t batch, std::int64_t m, std::int64_t n, std::int64_t k, const A& a,
          const B& b, const Store& store) {
  if (batch == 0 || m == 0 || n == 0) return;
  const GemmShape g{checked_items("matmul", batch),
                    checked_items("matmul", m),
                    checked_items("matmul", n),
                    checked_items("matmul", k),
                    1,
                    0};
  if (m <= FlatTiling::tile_m)
    gemm_tiled<FlatTiling>(device, g, a, b, store);
  else
    gemm_tiled<SquareTiling>(device, g, a, b, store);
}

// Dense results with an optional bias for each column.
template <class T>
struct StoreRows {
  T* c;
  const float* bias;
  std::uint32_t m, n;
  __device__ __forceinline__ void operator()(std::uint32_t batch, std::uint32_t row, std::uint32_t column,
                                             float sum) const {
    if (bias) sum += bias[column];
    c[(static_cast<std::int64_t>(batch) * m + row) * n + column] = narrow<T>(sum);
  }
};
template <class T>
StoreRows<T> store_rows(T* c, const float* bias, std::int64_t m, std::int64_t n) {
  return {c, bias, static_cast<std::uint32_t>(m), static_cast<std::uint32_t>(n)};
}

}  // namespace roentgen::kernels
