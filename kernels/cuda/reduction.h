// Sums of a function over one index, for each value of another: the core of every reduction. Two stages where
// one would leave the GPU idle; the order of additions depends on the shape alone.
#pragma once

#include "kernels/cuda/nest.h"

namespace roentgen::kernels {

template <int values>
struct Sums {
  float at[values] = {};

  __device__ __forceinline__ void add(const Sums& other) {
#pragma unroll
    for (int v = 0; v < values; ++v) at[v] += other.at[v];
  }
};

// How a block's threads share the work: `outputs` results at once, each summed by `lanes` threads.
// outputs * lanes = block_threads.
struct ReductionPlan {
  std::uint32_t outputs, lanes;
  bool outputs_first;  // neighbouring threads work on neighbouring results, else on neighbouring terms
  std::uint32_t splits, terms_per_split;
};

// `neighbours`: whether neighbouring results, rather than terms, lie side by side in memory.
inline ReductionPlan plan_reduction(std::uint32_t results, std::uint32_t terms, bool neighbours) {
  const std::uint32_t lanes = neighbours ? 8 : terms < block_threads ? 32 : block_threads;
  ReductionPlan plan{block_threads / lanes, lanes, neighbours, 1, terms};
  const std::int64_t blocks = divide_up(results, plan.outputs);
  const std::int64_t splits = std::clamp<std::int64_t>(512 / blocks, 1, divide_up(terms, 16 * lanes));
  plan.terms_per_split = static_cast<std::uint32_t>(divide_up(terms, std::max<std::int64_t>(splits, 1)));
  if (terms > 0) plan.splits = static_cast<std::uint32_t>(divide_up(terms, plan.terms_per_split));
  return plan;
}

// Grid (results / outputs, splits). With one split finish(result, sums) is called, else the sums go to
// partial [splits, results].
template <int values, class F, class Finish>
__global__ void __launch_bounds__(block_threads)
    sum_kernel(F f, Finish finish, std::uint32_t results, std::uint32_t terms, ReductionPlan plan,
               Sums<values>* partial) {
  struct Shared {
    Sums<values> sums[block_threads];
  };
  Shared& s = shared<Shared>();
  const std::uint32_t t = threadIdx.x;
  const std::uint32_t output = plan.outputs_first ? t % plan.outputs : t / plan.lanes;
  const std::uint32_t lane = plan.outputs_first ? t / plan.outputs : t % plan.lanes;
  const std::uint32_t result = blockIdx.x * plan.outputs + output;
  const std::uint32_t begin = blockIdx.y * plan.terms_per_split;
  const std::uint32_t end = min(begin + plan.terms_per_split, terms);
  Sums<values> sums;
  if (result < results)
    for (std::uint32_t term = begin + lane; term < end; term += plan.lanes) sums.add(f(result, term));
  s.sums[output * plan.lanes + lane] = sums;
  for (std::uint32_t half = plan.lanes / 2; half > 0; half /= 2) {
    __syncthreads();
    if (lane < half) s.sums[output * plan.lanes + lane].add(s.sums[output * plan.lanes + lane + half]);
  }
  if (lane == 0 && result < results) {
    if (plan.splits == 1)
      finish(result, s.sums[output * plan.lanes]);
    else
      partial[static_cast<std::int64_t>(blockIdx.y) * results + result] = s.sums[output * plan.lanes];
  }
}

template <int values, class Finish>
__global__ void __launch_bounds__(block_threads)
    finish_kernel(Finish finish, std::uint32_t results, std::uint32_t splits, const Sums<values>* partial) {
  for (std::int64_t i = thread_number(); i < results; i += thread_count()) {
    Sums<values> sums;
    for (std::uint32_t split = 0; split < splits; ++split)
      sums.add(partial[static_cast<std::int64_t>(split) * results + i]);
    finish(static_cast<std::uint32_t>(i), sums);
  }
}

// Calls finish(i, sum over j of f(i, j)) for i < results, j < terms. `neighbours` as in plan_reduction.
template <int values, class F, class Finish>
void sum_over(Cuda device, const char* op, std::int64_t results, std::int64_t terms, bool neighbours, F f,
              Finish finish) {
  if (results == 0) return;
  const std::uint32_t m = checked_items(op, results), k = checked_items(op, terms);
  const ReductionPlan plan = plan_reduction(m, k, neighbours);
  const Scratch<Sums<values>> partial(device, plan.splits > 1 ? std::int64_t{plan.splits} * m : 0);
  launch(device, sum_kernel<values, F, Finish>,
         dim3(static_cast<unsigned>(divide_up(m, plan.outputs)), plan.splits), block_threads, f, finish, m, k,
         plan, partial.data());
  if (plan.splits > 1) {
    launch(device, finish_kernel<values, Finish>, blocks_for(m), block_threads, finish, m, plan.splits,
           static_cast<const Sums<values>*>(partial.data()));
  }
}

}  // namespace roentgen::kernels
