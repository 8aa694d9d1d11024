#include <gtest/gtest.h>

#include <vector>

#include "kernels/optimizer.h"
#include "tests/kernels/cpu_support.h"

namespace roentgen::kernels {
namespace {

using testing::random_values;
using testing::same_bits;
using testing::unwritten;

struct State {
  std::vector<float> w, m, v;
  std::vector<bfloat16> copy;
};

template <class Device>
State adam(Device device, const AdamStep& options, std::int64_t n, bool with_copy) {
  State s{random_values<float>(n, 1), std::vector<float>(static_cast<std::size_t>(n)),
          std::vector<float>(static_cast<std::size_t>(n)), unwritten<bfloat16>(with_copy ? n : 0)};
  AdamStep step = options;
  for (step.step = 1; step.step <= 10; ++step.step) {
    const auto g = random_values<float>(n, 10 + static_cast<std::uint32_t>(step.step));
    adam_step(device, step, g.data(), s.w.data(), s.m.data(), s.v.data(), with_copy ? s.copy.data() : nullptr,
              n);
  }
  return s;
}

// Ten steps of rate lr move a weight by 10 lr or less; a few roundings of that and of the weight are allowed.
void expect_near(const std::vector<float>& want, const std::vector<float>& got, double tolerance) {
  ASSERT_EQ(want.size(), got.size());
  for (std::size_t i = 0; i < want.size(); ++i) ASSERT_NEAR(want[i], got[i], tolerance) << i;
}
void expect_rounded(const State& s) {
  for (std::size_t i = 0; i < s.copy.size(); ++i) ASSERT_EQ(s.copy[i], bfloat16(s.w[i])) << i;
}

TEST(CpuOptimizer, AdamEqualsReference) {
  for (const std::int64_t n : {0, 1, 15, 16, 17, 1023, 70001})
    for (const bool pytorch : {false, true})
      for (const double decay : {0.0, 0.1}) {
        AdamStep options;
        options.epsilon_after_correction = pytorch;
        options.weight_decay = decay;
        const State want = adam(Reference{}, options, n, true), got = adam(Cpu{}, options, n, true);
        expect_near(want.w, got.w, 2e-6);
        expect_near(want.m, got.m, 1e-6);
        expect_near(want.v, got.v, 1e-7);
        expect_rounded(got);
        EXPECT_TRUE(same_bits(got.w, adam(Cpu{}, options, n, false).w))
            << "the copy must not change the weights";
      }
}

template <class Device>
State sgd(Device device, const SgdStep& step, std::int64_t n, bool with_velocity, bool with_copy) {
  State s{random_values<float>(n, 1),
          {},
          std::vector<float>(static_cast<std::size_t>(n)),
          unwritten<bfloat16>(with_copy ? n : 0)};
  for (std::uint32_t i = 0; i < 10; ++i) {
    const auto g = random_values<float>(n, 10 + i);
    sgd_step(device, step, g.data(), s.w.data(), with_velocity ? s.v.data() : nullptr,
             with_copy ? s.copy.data() : nullptr, n);
  }
  return s;
}

TEST(CpuOptimizer, SgdEqualsReference) {
  for (const std::int64_t n : {0, 1, 17, 70001})
    for (const SgdStep& step : {SgdStep{}, SgdStep{0.01, 0.9, 0, false}, SgdStep{0.01, 0.9, 0.01, true}})
      for (const bool with_copy : {false, true}) {
        const bool with_velocity = step.momentum != 0;
        const State want = sgd(Reference{}, step, n, with_velocity, with_copy);
        const State got = sgd(Cpu{}, step, n, with_velocity, with_copy);
        expect_near(want.w, got.w, 2e-6);
        expect_near(want.v, got.v, 1e-6);
        expect_rounded(got);
      }
}

TEST(CpuOptimizer, SameBitsForAnyThreadCount) {
  std::vector<State> all;
  testing::for_thread_counts([&](int) { all.push_back(adam(Cpu{}, {}, 100003, true)); });
  for (const State& other : all) {
    EXPECT_TRUE(same_bits(all[0].w, other.w));
    EXPECT_TRUE(same_bits(all[0].v, other.v));
  }
}

}  // namespace
}  // namespace roentgen::kernels
