// What the tests of the CUDA kernels share: arrays that exist on the host and on the device, and the
// comparison with the reference. In the emulator every case runs in several thread orders, which must not
// change a bit.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <type_traits>
#include <vector>

#include "kernels/cuda/context.h"
#include "kernels/dtype.h"
#include "kernels/memory.h"
#include "kernels/philox.h"
#if ROENTGEN_CUDA_EMULATED
#include "kernels/emulator/emulator.h"
#endif

namespace roentgen::kernels::cuda_testing {

// Skips where the kernels were compiled for a GPU and there is none.
class CudaTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (cuda_device_count() == 0) GTEST_SKIP() << "compiled for CUDA, but no usable GPU and driver here";
  }
};
inline Cuda device() {
  return cuda_device(0);
}

// Around the width of packs, odd, a block, more than a block.
inline const std::vector<std::int64_t> sizes = {0, 1, 3, 4, 5, 7, 8, 9, 31, 255, 1023, 4099};

// Uniform in [low, high).
template <class T>
std::vector<T> random_values(std::int64_t n, std::uint32_t stream, double low = -1, double high = 1) {
  std::vector<T> values(static_cast<std::size_t>(n));
  const RandomKey key{44, Purpose::test, stream, 0};
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = static_cast<T>(low + (high - low) * static_cast<double>(uniform(key, i)));
  return values;
}

// Whole numbers from -range to range: their sums and products are exact in every order while they are small.
template <class T>
std::vector<T> whole_values(std::int64_t n, std::uint32_t stream, int range) {
  std::vector<T> values(static_cast<std::size_t>(n));
  const RandomKey key{45, Purpose::test, stream, 0};
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = static_cast<T>(static_cast<float>(
        static_cast<int>(random_bits(key, 0, i) % static_cast<std::uint32_t>(2 * range + 1)) - range));
  return values;
}

// The same values in host memory, for the reference, and in device memory of their very size, so that
// AddressSanitizer sees an access beside them. `shift` elements of the allocation lie unused in front.
template <class T>
class Array {
 public:
  explicit Array(std::vector<T> values, std::int64_t shift = 0)
      : initial_(values),
        host_(std::move(values)),
        shift_(shift),
        bytes_((host_.size() + shift) * sizeof(T)) {
    memory_ = static_cast<T*>(allocate(device(), bytes_));
    restore();
  }
  // n elements of NaN (of -77 where T is an integer): what an output is before it is written.
  static Array output(std::int64_t n, std::int64_t shift = 0) {
    T blank;
    if constexpr (std::is_integral_v<T>)
      blank = static_cast<T>(-77);
    else
      blank = static_cast<T>(std::numeric_limits<float>::quiet_NaN());
    return Array(std::vector<T>(static_cast<std::size_t>(n), blank), shift);
  }
  ~Array() { deallocate(device(), memory_, bytes_); }
  Array(const Array&) = delete;
  Array& operator=(const Array&) = delete;

  T* operator()(Reference) { return host_.data(); }
  T* operator()(Cuda) { return memory_ + shift_; }
  const std::vector<T>& host() const { return host_; }
  std::vector<T> fetched() const {
    std::vector<T> values(initial_.size());
    copy_to_host(device(), memory_ + shift_, values.data(), values.size() * sizeof(T));
    return values;
  }
  // The device's copy as it was made.
  void restore() { copy_from_host(device(), initial_.data(), memory_ + shift_, initial_.size() * sizeof(T)); }

 private:
  std::vector<T> initial_, host_;
  std::int64_t shift_;
  std::size_t bytes_;
  T* memory_;
};

// How far an output may be off. `terms` numbers were summed: float within 4 eps sqrt(terms) of the largest
// element, or of `magnitude` where that is more, bfloat16 within 1.6e-2 of the element or of a hundredth of
// the largest; 0 terms: bits must be equal. `low`: float sums of numbers that one side rounds to bfloat16,
// which are off by its rounding unit.
struct Tolerance {
  double terms = 1;
  double magnitude = 0;
  bool low = false;
};
inline constexpr Tolerance exact{0, 0, false};

template <class T>
void expect_close(const std::vector<T>& got, const std::vector<T>& want, const Tolerance& tolerance) {
  if (std::is_integral_v<T> || tolerance.terms == 0) {
    for (std::size_t i = 0; i < want.size(); ++i)
      ASSERT_TRUE(got[i] == want[i]) << "at " << i << " of " << want.size() << ": "
                                     << static_cast<double>(got[i]) << ", not "
                                     << static_cast<double>(want[i]);
    return;
  }
  double largest = tolerance.magnitude, error = 0, power = 0;
  for (const T value : want)
    if (std::isfinite(static_cast<double>(value)))
      largest = std::max(largest, std::abs(static_cast<double>(value)));
  for (std::size_t i = 0; i < want.size(); ++i) {
    const double g = static_cast<double>(got[i]), w = static_cast<double>(want[i]);
    if (!std::isfinite(w)) {
      ASSERT_TRUE(std::isnan(w) ? std::isnan(g) : g == w) << "at " << i << ": " << g << ", not " << w;
      continue;
    }
    const double eps =
        tolerance.low ? 0x1p-8 : 4 * std::numeric_limits<float>::epsilon() * std::sqrt(tolerance.terms);
    const double limit =
        std::is_same_v<T, bfloat16> ? 1.6e-2 * std::max(std::abs(w), largest / 100) : eps * largest;
    ASSERT_LE(std::abs(g - w), limit) << "at " << i << " of " << want.size() << ": " << g << ", not " << w;
    error += (g - w) * (g - w);
    power += w * w;
  }
  const bool low = std::is_same_v<T, bfloat16> || tolerance.low;  // rounds to 2^-9, squared 4e-6
  EXPECT_LE(error, (low ? 1e-4 : 1e-7) * std::max(power, tolerance.magnitude));
}

// Runs run(tag) on the reference and, in each thread order, on the device; compares every output.
template <class Run, class... T>
void expect_parity(const Tolerance& tolerance, Run&& run, Array<T>&... outputs) {
  run(Reference{});
  const auto once = [&](auto&& compare) {
    (outputs.restore(), ...);
    run(device());
    (compare(outputs), ...);
  };
  const auto with_reference = [&](auto& output) { expect_close(output.fetched(), output.host(), tolerance); };
#if ROENTGEN_CUDA_EMULATED
  std::vector<std::vector<std::uint8_t>> first;
  emulator::for_each_order([&](int order) {
    std::size_t i = 0;
    once([&](auto& output) {
      if (order == 0) with_reference(output);
      const auto values = output.fetched();
      const auto* bytes = reinterpret_cast<const std::uint8_t*>(values.data());
      std::vector<std::uint8_t> bits(bytes, bytes + values.size() * sizeof(values[0]));
      if (order == 0)
        first.push_back(std::move(bits));
      else
        EXPECT_TRUE(bits == first[i++]) << "thread order " << order << " changes bits";
    });
  });
#else
  once(with_reference);
#endif
}

}  // namespace roentgen::kernels::cuda_testing
