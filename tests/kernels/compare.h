// What the parity tests share: inputs, and the comparison of the fast kernels with the reference.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <type_traits>
#include <vector>

#include "kernels/cpu/parallel.h"
#include "kernels/device.h"
#include "kernels/dtype.h"

namespace roentgen::kernels::testing {

// Sizes around vector widths, odd primes, none, and more than a task takes.
inline const std::vector<std::int64_t> sizes = {0,  1,  3,  4,  5,  7,    13,   15,
                                                16, 17, 31, 64, 65, 1023, 4099, 70001};

template <class T>
std::vector<T> random_vector(std::int64_t n, std::uint32_t seed, double low = -2, double high = 2) {
  std::mt19937 engine(seed);
  std::uniform_real_distribution<double> draw(low, high);
  std::vector<T> v(static_cast<std::size_t>(n));
  for (T& element : v) element = static_cast<T>(draw(engine));
  return v;
}

template <class T>
T not_a_number() {
  if constexpr (std::is_integral_v<T>)
    return static_cast<T>(-77);
  else
    return static_cast<T>(std::numeric_limits<double>::quiet_NaN());
}

// Runs run(device, out) on n elements that hold NaN before, and sees that nothing past them is touched.
template <class T, class Device, class Run>
std::vector<T> output_of(Device device, std::int64_t n, Run&& run) {
  constexpr std::size_t guard = 64;
  std::vector<T> out(static_cast<std::size_t>(n) + guard, not_a_number<T>());
  const std::vector<T> untouched(guard, not_a_number<T>());
  run(device, out.data());
  EXPECT_EQ(std::memcmp(out.data() + n, untouched.data(), guard * sizeof(T)), 0) << "written past the end";
  out.resize(static_cast<std::size_t>(n));
  return out;
}

// Elementwise within 4 eps sqrt(K) of the larger of |want| and `magnitude`, where K terms were summed, and
// NMSE <= 1e-7 (quality's figures); bfloat16 within 1.6e-2. Integers must be equal.
template <class T>
void expect_close(const std::vector<T>& got, const std::vector<T>& want, double terms, double magnitude) {
  ASSERT_EQ(got.size(), want.size());
  if constexpr (std::is_integral_v<T>) {
    EXPECT_EQ(got, want);
  } else {
    const bool is_float = std::is_same_v<T, float>;
    const double relative = is_float ? 4 * std::numeric_limits<float>::epsilon() * std::sqrt(terms) : 1.6e-2;
    double error = 0, power = 0;
    for (std::size_t i = 0; i < got.size(); ++i) {
      const double g = static_cast<double>(got[i]), w = static_cast<double>(want[i]);
      if (std::isnan(w) || std::isinf(w)) {
        ASSERT_TRUE(std::isnan(w) ? std::isnan(g) : g == w) << "at " << i << ": " << g << ", not " << w;
        continue;
      }
      ASSERT_LE(std::abs(g - w), relative * std::max(std::abs(w), magnitude))
          << "at " << i << " of " << got.size() << ": " << g << ", not " << w;
      error += (g - w) * (g - w);
      power += w * w;
    }
    EXPECT_LE(error, (is_float ? 1e-7 : 1e-4) * power);  // bfloat16 rounds to 2^-9, squared 4e-6
  }
}

// The whole comparison for one output: cpu against reference, and cpu with itself at 1, 2 and 4 threads.
// `terms` and `magnitude` as in expect_close.
template <class T, class Run>
void expect_parity(std::int64_t n, Run&& run, double terms = 1, double magnitude = 0) {
  const int threads = thread_count();
  const std::vector<T> want = output_of<T>(Reference{}, n, run);
  std::vector<T> first;
  for (const int count : {1, 2, 4}) {
    set_thread_count(count);
    const std::vector<T> got = output_of<T>(Cpu{}, n, run);
    if (count == 1) {
      first = got;
      expect_close(got, want, terms, magnitude);
    } else if (n > 0) {
      EXPECT_EQ(std::memcmp(got.data(), first.data(), first.size() * sizeof(T)), 0)
          << "other bits at " << count << " threads";
    }
  }
  set_thread_count(threads);
}

}  // namespace roentgen::kernels::testing
