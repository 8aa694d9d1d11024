#include "kernels/reduce.h"

#include <vector>

#include "kernels/cuda/reduction.h"
#include "kernels/memory.h"

namespace roentgen::kernels {
namespace {

Nest<1> kept_axes(const Reduction& shape) {
  return Nest<1>(shape.kept_rank, shape.kept, {shape.kept_strides});
}
Nest<1> reduced_axes(const Reduction& shape) {
  return Nest<1>(shape.reduced_rank, shape.reduced, {shape.reduced_strides});
}
// Whether neighbouring results lie closer in x than neighbouring terms do.
bool results_are_neighbours(const Nest<1>& kept, const Nest<1>& reduced) {
  if (kept.rank == 0 || reduced.rank == 0) return kept.rank > 0;
  return kept.strides[0][kept.rank - 1] < reduced.strides[0][reduced.rank - 1];
}

template <class T>
struct Element {
  NestIndex<1> kept, reduced;
  const T* x;
  __device__ Sums<1> operator()(std::uint32_t result, std::uint32_t term) const {
    return {{widen(x[kept(result).of[0] + reduced(term).of[0]])}};
  }
};
template <class T>
struct WriteScaled {
  float factor;
  T* y;
  __device__ void operator()(std::uint32_t result, const Sums<1>& sums) const {
    y[result] = narrow<T>(factor * sums.at[0]);
  }
};

// The larger wins, NaN before all, of equals the one that comes first.
struct Candidate {
  float value;
  std::uint32_t term;

  __device__ void offer(const Candidate& other) {
    const bool nan = value != value, other_nan = other.value != other.value;
    const bool larger = nan == other_nan ? other.value > value : other_nan;
    const bool equal = nan == other_nan && (nan || other.value == value);
    if (larger || (equal && other.term < term)) *this = other;
  }
};
constexpr std::uint32_t nobody = 0xFFFFFFFFu;

template <class T>
__global__ void __launch_bounds__(block_threads)
    max_kernel(NestIndex<1> kept, NestIndex<1> reduced, std::uint32_t results, std::uint32_t terms,
               ReductionPlan plan, const T* x, T* y, std::int64_t* argmax) {
  struct Shared {
    Candidate best[block_threads];
  };
  Shared& s = shared<Shared>();
  const std::uint32_t t = threadIdx.x;
  const std::uint32_t output = plan.outputs_first ? t % plan.outputs : t / plan.lanes;
  const std::uint32_t lane = plan.outputs_first ? t / plan.outputs : t % plan.lanes;
  const std::uint32_t result = blockIdx.x * plan.outputs + output;
  Candidate best{-INFINITY, nobody};
  if (result < results) {
    const T* from = x + kept(result).of[0];
    for (std::uint32_t term = lane; term < terms; term += plan.lanes)
      best.offer({widen(from[reduced(term).of[0]]), term});
  }
  s.best[output * plan.lanes + lane] = best;
  for (std::uint32_t half = plan.lanes / 2; half > 0; half /= 2) {
    __syncthreads();
    if (lane < half) s.best[output * plan.lanes + lane].offer(s.best[output * plan.lanes + lane + half]);
  }
  if (lane == 0 && result < results) {
    best = s.best[output * plan.lanes];
    y[result] = narrow<T>(best.value);
    argmax[result] = best.term == nobody ? -1 : kept(result).of[0] + reduced(best.term).of[0];
  }
}

template <class T>
__global__ void __launch_bounds__(block_threads)
    scatter_kernel(std::int64_t n, const T* dy, const std::int64_t* argmax, T* dx) {
  for (std::int64_t i = thread_number(); i < n; i += thread_count())
    if (argmax[i] >= 0) dx[argmax[i]] = dy[i];
}

constexpr unsigned square_blocks = 512;

template <class T>
__global__ void __launch_bounds__(block_threads) squares_kernel(std::int64_t n, const T* x, double* partial) {
  struct Shared {
    double sums[block_threads];
  };
  Shared& s = shared<Shared>();
  double sum = 0;
  for (std::int64_t i = thread_number(); i < n; i += thread_count()) {
    const double value = widen(x[i]);
    sum += value * value;
  }
  s.sums[threadIdx.x] = sum;
  for (unsigned half = block_threads / 2; half > 0; half /= 2) {
    __syncthreads();
    if (threadIdx.x < half) s.sums[threadIdx.x] += s.sums[threadIdx.x + half];
  }
  if (threadIdx.x == 0) partial[blockIdx.x] = s.sums[0];
}

}  // namespace

template <class T>
void sum(Cuda device, const T* x, T* y, const Reduction& shape, double factor) {
  const Nest<1> kept = kept_axes(shape), reduced = reduced_axes(shape);
  sum_over<1>(device, "sum", kept.count(), reduced.count(), results_are_neighbours(kept, reduced),
              Element<T>{NestIndex<1>(kept), NestIndex<1>(reduced), x},
              WriteScaled<T>{static_cast<float>(factor), y});
}

template <class T>
void max_forward(Cuda device, const T* x, T* y, std::int64_t* argmax, const Reduction& shape) {
  const Nest<1> kept = kept_axes(shape), reduced = reduced_axes(shape);
  const std::uint32_t results = checked_items("max", kept.count()),
                      terms = checked_items("max", reduced.count());
  if (results == 0) return;
  const ReductionPlan plan = plan_reduction(results, terms, results_are_neighbours(kept, reduced));
  launch(device, max_kernel<T>, static_cast<unsigned>(divide_up(results, plan.outputs)), block_threads,
         NestIndex<1>(kept), NestIndex<1>(reduced), results, terms, plan, x, y, argmax);
}

template <class T>
void max_backward(Cuda device, const T* dy, const std::int64_t* argmax, T* dx, std::int64_t n_x,
                  std::int64_t n_y) {
  zero(device, dx, static_cast<std::size_t>(n_x) * sizeof(T));
  if (n_y > 0) launch(device, scatter_kernel<T>, blocks_for(n_y), block_threads, n_y, dy, argmax, dx);
}

template <class T>
double sum_of_squares(Cuda device, const T* x, std::int64_t n) {
  const unsigned blocks = std::min(blocks_for(n), square_blocks);
  const Scratch<double> partial(device, blocks);
  launch(device, squares_kernel<T>, blocks, block_threads, n, x, partial.data());
  std::vector<double> sums(blocks);
  copy_to_host(device, partial.data(), sums.data(), blocks * sizeof(double));
  double total = 0;
  for (const double value : sums) total += value;
  return total;
}

#define ROENTGEN_INSTANTIATE(T)                                                                    \
  template void sum(Cuda, const T*, T*, const Reduction&, double);                                 \
  template void max_forward(Cuda, const T*, T*, std::int64_t*, const Reduction&);                  \
  template void max_backward(Cuda, const T*, const std::int64_t*, T*, std::int64_t, std::int64_t); \
  template double sum_of_squares(Cuda, const T*, std::int64_t);
ROENTGEN_INSTANTIATE(float)
ROENTGEN_INSTANTIATE(bfloat16)
#undef ROENTGEN_INSTANTIATE

}  // namespace roentgen::kernels
