#include "engine/schedule.h"

#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>

namespace roentgen::engine {
namespace {

TEST(Schedule, Constant) {
  const Schedule lr = constant_schedule(0.3);
  EXPECT_EQ(lr(0), 0.3);
  EXPECT_EQ(lr(1'000'000), 0.3);
}

TEST(Schedule, CosineRisesThenFalls) {
  const Schedule lr = cosine_schedule(1, 110, 10, 0.2);
  EXPECT_NEAR(lr(0), 0.1, 1e-15);
  EXPECT_NEAR(lr(4), 0.5, 1e-15);
  EXPECT_NEAR(lr(9), 1, 1e-15);
  EXPECT_NEAR(lr(10), 1, 1e-15);
  EXPECT_NEAR(lr(35), 0.2 + 0.8 * (1 + std::sqrt(0.5)) / 2, 1e-12);  // a quarter of the way: cos 45 degrees
  EXPECT_NEAR(lr(60), 0.6, 1e-12);
  EXPECT_NEAR(lr(110), 0.2, 1e-12);
  EXPECT_NEAR(lr(500), 0.2, 1e-12);
}

TEST(Schedule, Exponential) {
  EXPECT_NEAR(exponential_schedule(2, 10, 0.5)(5), 2 * std::sqrt(0.5), 1e-15);
  EXPECT_NEAR(exponential_schedule(2, 10, 0.5)(20), 0.5, 1e-15);
  EXPECT_NEAR(exponential_schedule(2, 10, 0.5, true)(19), 1, 1e-15);
}

TEST(Schedule, Step) {
  const Schedule lr = step_schedule(1, 30, 0.1);
  EXPECT_NEAR(lr(29), 1, 1e-15);
  EXPECT_NEAR(lr(30), 0.1, 1e-15);
  EXPECT_NEAR(lr(90), 0.001, 1e-15);
}

// Keras: the first value up to and including the first boundary.
TEST(Schedule, Piecewise) {
  const Schedule lr = piecewise_schedule({10, 20}, {3, 2, 1});
  EXPECT_EQ(lr(0), 3);
  EXPECT_EQ(lr(10), 3);
  EXPECT_EQ(lr(11), 2);
  EXPECT_EQ(lr(20), 2);
  EXPECT_EQ(lr(21), 1);
}

TEST(Schedule, WarmupScalesAnother) {
  const Schedule lr = with_warmup(step_schedule(1, 2, 0.5), 4);
  EXPECT_NEAR(lr(0), 0.25, 1e-15);
  EXPECT_NEAR(lr(3), 0.5, 1e-15);
  EXPECT_NEAR(lr(4), 0.25, 1e-15);
  EXPECT_EQ(with_warmup(constant_schedule(2), 0)(0), 2);
}

TEST(Schedule, RefusesWhatMakesNone) {
  EXPECT_THROW(constant_schedule(-1), std::invalid_argument);
  EXPECT_THROW(cosine_schedule(1, 10, 10), std::invalid_argument);
  EXPECT_THROW(cosine_schedule(1, 10, -1), std::invalid_argument);
  EXPECT_THROW(exponential_schedule(1, 0, 0.5), std::invalid_argument);
  EXPECT_THROW(step_schedule(1, 10, 0), std::invalid_argument);
  EXPECT_THROW(piecewise_schedule({10}, {1}), std::invalid_argument);
  EXPECT_THROW(piecewise_schedule({20, 10}, {1, 2, 3}), std::invalid_argument);
  EXPECT_THROW(with_warmup(constant_schedule(1), -1), std::invalid_argument);
}

}  // namespace
}  // namespace roentgen::engine
