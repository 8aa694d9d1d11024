#include "bench/peaks.h"

#include <benchmark/benchmark.h>
#include <unistd.h>

#include <algorithm>
#include <memory>

#include "bench/stopwatch.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/simd.h"

namespace roentgen::bench {

namespace {

using kernels::lanes;
using kernels::Vec;

constexpr int tries = 10;  // a busy machine is quiet in one of them

// Enough independent sums to cover the latency of a multiply-add on two ports, few enough for registers.
constexpr int chains = kernels::vector_registers == 32 ? 20 : 12;

double fma_peak(bool quick) {
  const std::int64_t rounds = quick ? 1000 : 4'000'000;
  const int threads = kernels::thread_count();
  const double flops = 2.0 * lanes * chains * static_cast<double>(rounds) * threads;
  return best_rate(flops, quick ? 1 : tries, [&] {
    kernels::parallel_for(threads, [&](std::int64_t) {
      float factor = 0.999f, term = 0.001f;
      benchmark::DoNotOptimize(factor);  // values the compiler may not know
      benchmark::DoNotOptimize(term);
      const Vec a = Vec{} + factor, b = Vec{} + term;
      Vec sums[chains] = {};
      for (std::int64_t i = 0; i < rounds; ++i)
        for (Vec& sum : sums) sum = sum * a + b;
      Vec total = {};
      for (const Vec& sum : sums) total += sum;
      float seen[lanes];
      kernels::store(seen, total);
      benchmark::DoNotOptimize(seen);
    });
  });
}

// McCalpin's triad a = b + s c; the three arrays are `working_set` bytes together. Counts what the program
// asks for, as he does: not that the cache reads a before it is overwritten.
double triad(double working_set, bool quick) {
  const auto n = static_cast<std::int64_t>(working_set) / 12 / lanes * lanes;
  const int threads = kernels::thread_count();
  const std::int64_t grain = (n / lanes + threads - 1) / threads * lanes;
  const std::unique_ptr<float[]> memory(new float[static_cast<std::size_t>(3 * n)]);
  float *a = memory.get(), *b = a + n, *c = b + n;
  kernels::parallel_ranges(n, grain, [&](std::int64_t begin, std::int64_t end) {  // first touch: own node
    for (float* array : {a, b, c}) std::fill(array + begin, array + end, 1.0f);
  });
  const int passes = quick ? 1 : static_cast<int>(std::clamp(2e8 / working_set, 1.0, 2000.0));
  const double bytes = 12.0 * static_cast<double>(n) * passes;
  return best_rate(bytes, quick ? 1 : tries, [&] {
    kernels::parallel_for(threads, [&](std::int64_t thread) {
      const std::int64_t begin = thread * grain, end = std::min(n, begin + grain);
      for (int pass = 0; pass < passes; ++pass) {
        for (std::int64_t i = begin; i < end; i += lanes) {
          kernels::store(a + i, kernels::load(b + i) + 0.5f * kernels::load(c + i));
        }
        benchmark::ClobberMemory();
      }
    });
  });
}

// Twice the last cache, where that fits into reason.
double memory_working_set() {
  const long cache = sysconf(_SC_LEVEL3_CACHE_SIZE);
  return std::clamp(2.0 * static_cast<double>(cache), 256e6, 1e9);
}

}  // namespace

double Peaks::flops(engine::DType dtype) const {
  return dtype == engine::DType::bfloat16 && bfloat16 > 0 ? bfloat16 : float32;
}

double Peaks::bytes_per_second(double working_set) const {
  double rate = bandwidth.front().bytes_per_second;
  for (const Bandwidth& b : bandwidth) {
    if (b.working_set <= working_set) rate = b.bytes_per_second;
  }
  return rate;
}

double Peaks::bound_seconds(double flops_, double bytes, double working_set, engine::DType dtype) const {
  return std::max(flops_ / flops(dtype), bytes / bytes_per_second(working_set));
}

Peaks measure_cpu_peaks(bool quick) {
  Peaks peaks{.float32 = fma_peak(quick), .bfloat16 = measure_bfloat16_peak(quick), .bandwidth = {}};
  const double in_cache = 256e3 * kernels::thread_count();
  for (const double bytes : {in_cache, 8e6, 64e6, quick ? 256e6 : memory_working_set()}) {
    const double size = quick ? bytes / 64 : bytes;
    if (peaks.bandwidth.empty() || size > peaks.bandwidth.back().working_set) {
      peaks.bandwidth.push_back({size, triad(size, quick)});
    }
  }
  return peaks;
}

}  // namespace roentgen::bench
