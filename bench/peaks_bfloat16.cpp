#include "bench/peaks.h"
#include "bench/stopwatch.h"

#if defined(__x86_64__) && defined(__linux__)

#include <cpuid.h>
#include <immintrin.h>

#include <cstdint>

#include "kernels/cpu/amx.h"
#include "kernels/cpu/parallel.h"

namespace roentgen::bench {

namespace {

struct TileConfig {
  std::uint8_t palette = 1, start_row = 0, reserved[14] = {};
  std::uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  std::uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};

// Six sums of 16 x 16 and one pair of operands fill the eight tiles.
__attribute__((target("amx-tile,amx-bf16"))) void multiply_tiles(std::int64_t rounds) {
  const TileConfig config;
  asm volatile("ldtilecfg %0" : : "m"(config) : "memory");
  asm volatile(
      "tilezero %%tmm0\n tilezero %%tmm1\n tilezero %%tmm2\n tilezero %%tmm3\n"
      "tilezero %%tmm4\n tilezero %%tmm5\n tilezero %%tmm6\n tilezero %%tmm7" ::
          : "memory");
  for (std::int64_t i = 0; i < rounds; ++i) {
    asm volatile(
        "tdpbf16ps %%tmm7, %%tmm6, %%tmm0\n tdpbf16ps %%tmm7, %%tmm6, %%tmm1\n"
        "tdpbf16ps %%tmm7, %%tmm6, %%tmm2\n tdpbf16ps %%tmm7, %%tmm6, %%tmm3\n"
        "tdpbf16ps %%tmm7, %%tmm6, %%tmm4\n tdpbf16ps %%tmm7, %%tmm6, %%tmm5" ::
            : "memory");
  }
  asm volatile("tilerelease" : : : "memory");
}
constexpr double tile_flops = 6 * 2.0 * 16 * 16 * 32;

// Written as assembly so that it compiles whatever the compiler was told about the processor.
__attribute__((target("avx512f"))) void multiply_vectors(std::int64_t rounds) {
  __m512 a = _mm512_setzero_ps(), s0 = a, s1 = a, s2 = a, s3 = a, s4 = a, s5 = a, s6 = a, s7 = a, s8 = a,
         s9 = a, s10 = a, s11 = a;
  for (std::int64_t i = 0; i < rounds; ++i) {
    asm volatile(
        "vdpbf16ps %[a], %[a], %[s0]\n vdpbf16ps %[a], %[a], %[s1]\n vdpbf16ps %[a], %[a], %[s2]\n"
        "vdpbf16ps %[a], %[a], %[s3]\n vdpbf16ps %[a], %[a], %[s4]\n vdpbf16ps %[a], %[a], %[s5]\n"
        "vdpbf16ps %[a], %[a], %[s6]\n vdpbf16ps %[a], %[a], %[s7]\n vdpbf16ps %[a], %[a], %[s8]\n"
        "vdpbf16ps %[a], %[a], %[s9]\n vdpbf16ps %[a], %[a], %[s10]\n vdpbf16ps %[a], %[a], %[s11]"
        : [s0] "+v"(s0), [s1] "+v"(s1), [s2] "+v"(s2), [s3] "+v"(s3), [s4] "+v"(s4), [s5] "+v"(s5),
          [s6] "+v"(s6), [s7] "+v"(s7), [s8] "+v"(s8), [s9] "+v"(s9), [s10] "+v"(s10), [s11] "+v"(s11)
        : [a] "v"(a));
  }
}
constexpr double vector_flops = 12 * 2.0 * 32;

bool has_avx512_bfloat16() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  constexpr unsigned bf16_bit = 1u << 5;
  return __builtin_cpu_supports("avx512f") && __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a & bf16_bit);
}

double rate(void (*multiply)(std::int64_t rounds), double flops_a_round, bool quick) {
  const std::int64_t rounds = quick ? 1000 : 500'000;
  const int threads = kernels::thread_count();
  return best_rate(flops_a_round * static_cast<double>(rounds) * threads, quick ? 1 : 10,
                   [&] { kernels::parallel_for(threads, [&](std::int64_t) { multiply(rounds); }); });
}

}  // namespace

double measure_bfloat16_peak(bool quick) {
  if (kernels::has_amx()) return rate(multiply_tiles, tile_flops, quick);
  if (has_avx512_bfloat16()) return rate(multiply_vectors, vector_flops, quick);
  return 0;
}

}  // namespace roentgen::bench

#else

namespace roentgen::bench {

double measure_bfloat16_peak(bool) {
  return 0;
}

}  // namespace roentgen::bench

#endif
