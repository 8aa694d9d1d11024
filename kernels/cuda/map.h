// y[i] = f(x0[i], x1[i], ...): wide where all pointers allow it. f takes and returns float.
#pragma once

#include "kernels/cuda/numeric.h"

namespace roentgen::kernels {

// One thread moves `width` neighbours at a time; the last n % width one by one.
template <int width, class F, class To, class... From>
__global__ void __launch_bounds__(block_threads) map_kernel(F f, std::int64_t n, To* y, const From*... x) {
  const std::int64_t first = thread_number(), step = thread_count(), packs = n / width;
  for (std::int64_t i = first; i < packs; i += step) {
    const auto apply = [&](const Pack<From, width>&... in) {
      Pack<To, width> out;
#pragma unroll
      for (int j = 0; j < width; ++j) out.at[j] = narrow<To>(f(widen(in.at[j])...));
      store_pack<To, width>(y + i * width, out);
    };
    apply(load_pack<From, width>(x + i * width)...);
  }
  for (std::int64_t i = packs * width + first; i < n; i += step) y[i] = narrow<To>(f(widen(x[i])...));
}

// y may be one of x. Empty arrays are fine.
template <class F, class To, class... From>
void map(Cuda device, F f, std::int64_t n, To* y, const From*... x) {
  if (n == 0) return;
  constexpr int width = 16 / static_cast<int>(std::max({sizeof(To), sizeof(From)...}));
  if (aligned<width>(y, x...)) {
    launch(device, map_kernel<width, F, To, From...>, blocks_for(divide_up(n, width)), block_threads, f, n, y,
           x...);
  } else {
    launch(device, map_kernel<1, F, To, From...>, blocks_for(n), block_threads, f, n, y, x...);
  }
}

}  // namespace roentgen::kernels
