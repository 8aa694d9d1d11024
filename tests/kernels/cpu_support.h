// What the tests of the fast CPU kernels share: made-up data, comparison with the reference, thread counts.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "kernels/cpu/conv_engine.h"
#include "kernels/cpu/parallel.h"
#include "kernels/dtype.h"
#include "kernels/philox.h"

namespace roentgen::kernels::testing {

// Uniform in [-1, 1); bfloat16 holds what it can of it.
template <class T>
std::vector<T> random_values(std::int64_t n, std::uint32_t stream) {
  std::vector<T> values(static_cast<std::size_t>(n));
  const RandomKey key{42, Purpose::test, stream, 0};
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<T>(2 * uniform(key, i) - 1);
  return values;
}

// Whole numbers from -range to range: sums of their products are exact in every type while they are small.
template <class T>
std::vector<T> whole_values(std::int64_t n, std::uint32_t stream, int range) {
  std::vector<T> values(static_cast<std::size_t>(n));
  const RandomKey key{43, Purpose::test, stream, 0};
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = static_cast<T>(static_cast<float>(
        static_cast<int>(random_bits(key, 0, i) % static_cast<std::uint32_t>(2 * range + 1)) - range));
  return values;
}

// Outputs start as NaN, so that an element nobody wrote is seen.
template <class T>
std::vector<T> unwritten(std::int64_t n) {
  return std::vector<T>(static_cast<std::size_t>(n), static_cast<T>(std::numeric_limits<float>::quiet_NaN()));
}

// float: NMSE <= 1e-7, and each element within 4 eps sqrt(terms) of the reference, relative to the largest.
// bfloat16: within 1.6e-2 of it (four roundings' worth), or of a hundredth of the largest.
template <class T>
void expect_close(const std::vector<T>& expected, const std::vector<T>& actual, std::int64_t terms,
                  const std::string& what) {
  ASSERT_EQ(expected.size(), actual.size()) << what;
  double largest = 0, power = 0, error = 0;
  for (const T value : expected) {
    largest = std::max(largest, std::abs(static_cast<double>(value)));
    power += static_cast<double>(value) * static_cast<double>(value);
  }
  constexpr double eps = std::numeric_limits<float>::epsilon();
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const double want = static_cast<double>(expected[i]), got = static_cast<double>(actual[i]);
    const double tolerance = std::is_same_v<T, float>
                                 ? 4 * eps * std::sqrt(static_cast<double>(terms)) * largest
                                 : 1.6e-2 * std::max(std::abs(want), largest / 100);
    ASSERT_TRUE(std::abs(want - got) <= tolerance)
        << what << ": element " << i << " is " << got << ", should be " << want << " +- " << tolerance;
    error += (want - got) * (want - got);
  }
  if (std::is_same_v<T, float> && power > 0) {
    EXPECT_LE(error / power, 1e-7) << what;
  }
}

template <class T>
bool same_bits(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0);
}

// Runs f with 1, 2 and 4 threads and restores the count.
template <class F>
void for_thread_counts(F&& f) {
  const int before = thread_count();
  for (const int threads : {1, 2, 4}) {
    set_thread_count(threads);
    f(threads);
  }
  set_thread_count(before);
}

// Runs f with each convolution engine that computes T alone, then with the usual choice. Where the machine or
// the build lacks one, the next in line is tested again.
template <class T, class F>
void for_engines(F&& f) {
  if (std::is_same_v<T, float>) {
    allowed_engines() = {.direct = false};
    f("oneDNN");
  } else {
    allowed_engines() = {.amx = false};
    f("oneDNN");
    allowed_engines() = {.amx = false, .onednn = false};
    f("float");
  }
  allowed_engines() = {};
  f("usual");
}

}  // namespace roentgen::kernels::testing
