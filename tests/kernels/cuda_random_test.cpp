#if ROENTGEN_WITH_CUDA

#include <gtest/gtest.h>

#include "kernels/augment.h"
#include "kernels/optimizer.h"
#include "kernels/random.h"
#include "tests/kernels/cuda_support.h"

namespace roentgen::kernels {
namespace {

using namespace cuda_testing;

template <class T>
class CudaRandom : public CudaTest {};
using Types = ::testing::Types<float, bfloat16>;
TYPED_TEST_SUITE(CudaRandom, Types);

constexpr RandomKey key{0x123456789ABCDEFull, Purpose::dropout, 3, 41};

TYPED_TEST(CudaRandom, SameNumbersAsTheReference) {
  using T = TypeParam;
  for (const std::int64_t n : sizes)
    for (const std::int64_t shift : {0, 1}) {
      SCOPED_TRACE(testing::Message() << "n " << n << " shift " << shift);
      Array<T> x(random_values<T>(n, 1, 1, 2), shift), y = Array<T>::output(n);
      expect_parity(
          {}, [&](auto d) { dropout(d, x(d), y(d), n, 0.23f, key); }, y);
      const std::vector<T> got = y.fetched();
      for (std::size_t i = 0; i < got.size(); ++i)  // the mask, bit for bit
        ASSERT_EQ(static_cast<float>(got[i]) == 0, random_bits(key, 41, i) < drop_threshold(0.23f));
      Array<T> same = Array<T>::output(n);
      expect_parity(
          exact, [&](auto d) { dropout(d, x(d), same(d), n, 0.0f, key); }, same);
      expect_parity(
          {1, 3}, [&](auto d) { random_uniform(d, y(d), n, -3.0, 2.0, key); }, y);
      expect_parity(
          {1, 4}, [&](auto d) { random_normal(d, y(d), n, 0.5, 2.0, key); }, y);
    }
}

TYPED_TEST(CudaRandom, StepCounterIsReadOnTheDevice) {
  using T = TypeParam;
  Array<std::uint32_t> counter({5});
  Array<T> x(std::vector<T>(101, T(1.0f))), y = Array<T>::output(101);
  expect_parity(
      {},
      [&](auto d) {
        RandomKey counting = key;
        counting.counter = counter(d);
        dropout(d, x(d), y(d), 101, 0.5f, counting);
      },
      y);
  for (std::size_t i = 0; i < 101; ++i)
    EXPECT_EQ(static_cast<float>(y.fetched()[i]) == 0, random_bits(key, 46, i) < drop_threshold(0.5f));
}

TYPED_TEST(CudaRandom, AugmentWithinAGreyLevel) {
  using T = TypeParam;
  const AugmentShape shapes[] = {{1, 1, 1, 1}, {2, 13, 7, 3}, {3, 16, 31, 1}, {2, 20, 20, 4}, {0, 5, 5, 3}};
  for (const AugmentShape& s : shapes) {
    SCOPED_TRACE(testing::Message() << s.n << " x " << s.h << " x " << s.w << " x " << s.c);
    const std::int64_t n = s.n * s.h * s.w * s.c;
    std::vector<std::uint8_t> bytes(static_cast<std::size_t>(n));
    for (std::size_t i = 0; i < bytes.size(); ++i)
      bytes[i] = static_cast<std::uint8_t>(random_bits(key, 0, i));
    std::vector<Affine> drawn;
    for (std::int64_t i = 0; i < s.n; ++i)
      drawn.push_back(draw_affine({}, {7, Purpose::augment, 0, 2}, i, s.h, s.w));
    Array<std::uint8_t> images(bytes);
    Array<T> y = Array<T>::output(n);
    Scratch<Affine> maps(device(), s.n);
    copy_from_host(device(), drawn.data(), maps.data(), drawn.size() * sizeof(Affine));
    const auto maps_of = [&](auto d) -> const Affine* {
      if constexpr (std::is_same_v<decltype(d), Cuda>) return maps.data();
      return drawn.data();
    };
    // Float coordinates are off by 32 eps, times a step of 255 between neighbours, in units of 1.
    expect_parity(
        {1, 255.0 * 32}, [&](auto d) { augment(d, s, images(d), maps_of(d), 1.0, y(d)); }, y);
    expect_parity(
        {}, [&](auto d) { augment(d, s, images(d), nullptr, 1.0 / 255, y(d)); }, y);
  }
}

class CudaOptimizer : public CudaTest {};

TEST_F(CudaOptimizer, Adam) {
  for (const std::int64_t n : sizes)
    for (const std::int64_t shift : {0, 1})
      for (const bool as_pytorch : {false, true}) {
        SCOPED_TRACE(testing::Message() << "n " << n << " shift " << shift << " as_pytorch " << as_pytorch);
        Array<float> g(random_values<float>(n, 2), shift), w(random_values<float>(n, 3)),
            m(random_values<float>(n, 4)), v(random_values<float>(n, 5, 0, 1));
        Array<bfloat16> low = Array<bfloat16>::output(n);
        const AdamStep step{
            .lr = 0.01, .weight_decay = 0.1, .step = 7, .epsilon_after_correction = as_pytorch};
        expect_parity(
            {4, 1}, [&](auto d) { adam_step(d, step, g(d), w(d), m(d), v(d), low(d), n); }, w, m, v, low);
        Array<float> w2(random_values<float>(n, 3)), m2(random_values<float>(n, 4)),
            v2(random_values<float>(n, 5, 0, 1));
        adam_step(device(), step, g(device()), w2(device()), m2(device()), v2(device()), nullptr, n);
        EXPECT_EQ(w2.fetched(), w.fetched());
      }
}

TEST_F(CudaOptimizer, Sgd) {
  for (const std::int64_t n : sizes)
    for (const bool nesterov : {false, true})
      for (const bool with_velocity : {false, true}) {
        SCOPED_TRACE(testing::Message()
                     << "n " << n << " nesterov " << nesterov << " velocity " << with_velocity);
        Array<float> g(random_values<float>(n, 2)), w(random_values<float>(n, 3)),
            velocity(random_values<float>(n, 4));
        Array<bfloat16> low = Array<bfloat16>::output(n);
        const SgdStep step{
            .lr = 0.05, .momentum = with_velocity ? 0.9 : 0.0, .weight_decay = 0.01, .nesterov = nesterov};
        expect_parity(
            {4, 1},
            [&](auto d) { sgd_step(d, step, g(d), w(d), with_velocity ? velocity(d) : nullptr, low(d), n); },
            w, velocity, low);
      }
}

}  // namespace
}  // namespace roentgen::kernels

#endif
