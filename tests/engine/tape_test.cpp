#include "engine/tape.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <thread>

#include "engine/memory.h"
#include "engine/ops.h"

namespace roentgen::engine {
namespace {

const Device reference = kernels::Reference{};

Tensor vector_of(std::vector<double> values) {
  const auto size = static_cast<std::int64_t>(values.size());
  return Tensor::from(values, {size}, reference);
}

Tensor leaf(std::vector<double> values) {
  Tensor x = vector_of(std::move(values));
  x.collect_gradient();
  return x;
}

std::vector<double> doubles(std::initializer_list<double> values) {
  return values;
}

TEST(Tape, ChainOfAMillionNodes) {
  const Tensor x = leaf({1.5});
  Tensor y = x;
  for (int i = 0; i < 1'000'000; ++i) y = scale(y, i % 2 ? 2 : 0.5);
  backward(y);
  EXPECT_EQ(x.grad().to_doubles(), doubles({1}));
}

TEST(Tape, ChainOfAMillionNodesIsDestroyedUnused) {
  const Tensor x = leaf({1.5});
  const std::size_t before = memory_stats(reference).in_use;
  {
    Tensor y = x;
    for (int i = 0; i < 1'000'000; ++i) y = scale(y, 1);
    EXPECT_TRUE(y.requires_grad());
  }
  EXPECT_EQ(memory_stats(reference).in_use, before);
}

TEST(Tape, DiamondsAreVisitedOnceEach) {
  const Tensor x = leaf({3, -1});
  Tensor y = x;
  for (int i = 0; i < 60; ++i) y = add(y, y);  // 2^60 paths
  backward(sum(y));
  EXPECT_EQ(x.grad().to_doubles(), doubles({std::exp2(60), std::exp2(60)}));
}

TEST(Tape, BranchesOfDifferentLengthMeet) {
  const Tensor x = leaf({2, 3});
  const Tensor shared = mul(x, x);
  const Tensor y = add(mul(shared, x), scale(shared, 5));  // x^3 + 5 x^2
  backward(sum(y));
  EXPECT_EQ(x.grad().to_doubles(), doubles({3 * 4 + 10 * 2, 3 * 9 + 10 * 3}));
}

TEST(Tape, GradientsAccumulateUntilCleared) {
  const Tensor x = leaf({1, 2});
  EXPECT_FALSE(x.grad().defined());
  backward(sum(mul(x, x)));
  backward(sum(scale(x, 10)));
  EXPECT_EQ(x.grad().to_doubles(), doubles({12, 14}));
  x.clear_grad();
  EXPECT_FALSE(x.grad().defined());
  backward(sum(scale(x, 10)));
  EXPECT_EQ(x.grad().to_doubles(), doubles({10, 10}));
}

TEST(Tape, LeavesCollectInGivenMemory) {
  const Tensor memory =
      Tensor::full({2}, std::numeric_limits<double>::quiet_NaN(), DType::float64, reference);
  Tensor x = vector_of({1, 2});
  x.collect_gradient(memory);
  for (int round = 0; round < 2; ++round) {
    backward(sum(mul(x, x)));
    EXPECT_TRUE(x.grad().same_memory(memory));
    EXPECT_EQ(memory.to_doubles(), doubles({2, 4}));
    x.clear_grad();
  }
  EXPECT_THROW(x.collect_gradient(Tensor({3}, DType::float64, reference)), std::invalid_argument);
}

// The weight gradient of a layer is written where it belongs, without a copy of its own.
TEST(Tape, LayersWriteTheirWeightGradientInPlace) {
  const Tensor x = Tensor::full({64, 256}, 1, DType::float32, reference);
  Tensor w = Tensor::full({256, 256}, 0.5, DType::float32, reference);
  w.collect_gradient(Tensor({256, 256}, DType::float32, reference));
  const Tensor y = linear(x, w), cotangent = Tensor::full({64, 256}, 1, DType::float32, reference);
  reset_peak(reference);
  const std::size_t before = memory_stats(reference).in_use;
  backward(y, cotangent);
  EXPECT_LT(memory_stats(reference).peak - before, w.bytes());
  EXPECT_EQ(w.grad().to_doubles()[7], 64);
}

TEST(Tape, SharedWeightsSumTheirGradients) {
  const std::vector<double> values = {0.5, -1, 2, 3};
  Tensor shared = Tensor::from(values, {2, 2}, reference), first = shared.clone(), second = shared.clone();
  shared.collect_gradient(Tensor({2, 2}, DType::float64, reference));
  first.collect_gradient();
  second.collect_gradient();
  const Tensor x = Tensor::from(std::vector<double>{1, 2, -3, 4, 5, 6}, {3, 2}, reference);
  const auto loss = [&](const Tensor& a, const Tensor& b) {
    const Tensor y = linear(linear(x, a), b);
    return sum(mul(y, y));
  };
  backward(loss(shared, shared));
  backward(loss(first, second));
  const auto a = first.grad().to_doubles(), b = second.grad().to_doubles(), s = shared.grad().to_doubles();
  for (std::size_t i = 0; i < 4; ++i) EXPECT_DOUBLE_EQ(s[i], a[i] + b[i]);
}

// One leaf as both inputs of one op, which may write both gradients before either is delivered.
TEST(Tape, OneLeafInTwoPlacesOfOneOp) {
  for (const bool given : {false, true}) {
    Tensor w = Tensor::from(std::vector<double>{1, 2, 3, 4}, {2, 2}, reference);
    if (given) {
      w.collect_gradient(Tensor::full({2, 2}, 100, DType::float64, reference));
    } else {
      w.collect_gradient();
    }
    // W W^T under a cotangent C that is not symmetric: the gradient is (C + C^T) W, C W from one place.
    backward(linear(w, w), Tensor::from(std::vector<double>{1, 10, 0, 5}, {2, 2}, reference));
    EXPECT_EQ(w.grad().to_doubles(), doubles({2 + 30, 4 + 40, 10 + 30, 20 + 40}));
    w.clear_grad();
    backward(sum(sub(w, w)));
    EXPECT_EQ(w.grad().to_doubles(), doubles({0, 0, 0, 0}));
  }
}

TEST(Tape, NoGradStopsRecordingInItsScope) {
  const Tensor x = leaf({1});
  {
    const NoGrad outer;
    {
      const NoGrad inner;
      EXPECT_FALSE(scale(x, 2).requires_grad());
    }
    EXPECT_FALSE(scale(x, 2).requires_grad());
    EXPECT_FALSE(wants_gradient(x));
  }
  EXPECT_TRUE(scale(x, 2).requires_grad());
  EXPECT_FALSE(scale(x.detach(), 2).requires_grad());
}

TEST(Tape, GradientsNobodyWantsAreNotComputed) {
  const Tensor x = vector_of({1, 2}), y = leaf({3, 4});
  const Tensor z = mul(x, y);
  backward(sum(z));
  EXPECT_FALSE(x.grad().defined());
  EXPECT_EQ(y.grad().to_doubles(), doubles({1, 2}));
}

TEST(Tape, HistoryIsReleasedUnlessKept) {
  const Tensor x = leaf({1, 2});
  const Tensor y = sum(mul(x, x));
  backward(y, {}, true);
  backward(y);
  EXPECT_EQ(x.grad().to_doubles(), doubles({4, 8}));
  EXPECT_THROW(backward(y), std::invalid_argument);
}

TEST(Tape, ReleasedHistoryGivesItsMemoryBack) {
  Tensor x = Tensor::full({1000}, 2, DType::float64, reference);
  x.collect_gradient();
  const Tensor y = sum(mul(scale(x, 2), scale(x, 3)));
  backward(y, {}, true);
  const std::size_t kept = memory_stats(reference).in_use;
  backward(y);
  EXPECT_GE(kept - memory_stats(reference).in_use, 2 * x.bytes());  // what mul remembered
}

// A backward that fails half-way leaves nothing behind that a later one would add to.
TEST(Tape, FailedBackwardLeavesNoGradientsWaiting) {
  const Tensor fresh = leaf({1});
  const Tensor middle = scale(fresh, 2);  // older than the branch that fails, so it is still waiting then
  const Tensor x = leaf({2});
  const Tensor branch = scale(x, 5);
  backward(sum(scale(branch, 1)));  // releases the branch
  const Tensor broken = sum(mul(middle, branch));
  EXPECT_THROW(backward(broken, {}, true), std::invalid_argument);
  fresh.clear_grad();
  backward(sum(middle));
  EXPECT_EQ(fresh.grad().to_doubles(), doubles({2}));
}

TEST(Tape, RefusesWhatItCannotGoBackThrough) {
  const Tensor x = leaf({1, 2});
  const Tensor y = scale(x, 2);
  EXPECT_THROW(backward(vector_of({1})), std::invalid_argument);
  EXPECT_THROW(backward(y), std::invalid_argument) << "not a scalar";
  EXPECT_THROW(backward(y, vector_of({1})), std::invalid_argument);
  EXPECT_THROW(backward(y, Tensor({2}, DType::float32, reference)), std::invalid_argument);
  backward(y, vector_of({1, 10}));
  EXPECT_EQ(x.grad().to_doubles(), doubles({2, 20}));
}

TEST(Tape, OpThatGivesAMisshapenGradientIsReported) {
  const Tensor x = leaf({1, 2});
  const Tensor y =
      record(vector_of({1, 2}), {x}, [](const Tensor&) { return std::vector<Tensor>{vector_of({1})}; });
  EXPECT_THROW(backward(sum(y)), std::logic_error);
  const Tensor z = record(vector_of({1, 2}), {x}, [](const Tensor&) { return std::vector<Tensor>{}; });
  EXPECT_THROW(backward(sum(z)), std::logic_error);
}

TEST(Tape, NothingLeaks) {
  const std::size_t before = memory_stats(reference).in_use;
  {
    const RandomKey key{.seed = 1};
    Tensor x = Tensor::full({2, 9, 9, 3}, 0.5, DType::float64, reference);
    Tensor filters = Tensor::full({4, 3, 3, 3}, 0.1, DType::float64, reference);
    Tensor bias = Tensor::full({4}, 0.1, DType::float64, reference);
    for (Tensor* t : {&x, &filters, &bias}) t->collect_gradient();
    const auto network = [&] {
      const Tensor a = conv_block(x, filters, bias, {.conv = {}, .pool = 2, .rate = 0.2});
      const Tensor b = max_pool2d(dropout(relu(conv2d(x, filters, bias)), 0.2, key));
      return sum(softmax(flatten(mul(sigmoid(a), gelu(b)))));
    };
    network();                        // dropped unused
    const Tensor unused = network();  // held without a backward
    backward(network(), {}, true);    // history kept, then dropped
    const Tensor spent = network();
    backward(spent);
  }
  EXPECT_EQ(memory_stats(reference).in_use, before);
}

TEST(Tape, ThreadsRecordApart) {
  std::vector<double> results(4);
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < results.size(); ++t) {
    threads.emplace_back([t, &results] {
      const Tensor x = leaf({static_cast<double>(t)});
      for (int i = 0; i < 100; ++i) backward(sum(mul(x, x)));
      results[t] = x.grad().item();
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(results, doubles({0, 200, 400, 600}));
}

}  // namespace
}  // namespace roentgen::engine
