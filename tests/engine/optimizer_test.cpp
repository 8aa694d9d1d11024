// Optimisers against their formulas, written out here in double.
#include "engine/optimizer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>

#include "engine/ops.h"
#include "engine/tape.h"

namespace roentgen::engine {
namespace {

const Device reference = kernels::Reference{};
constexpr int steps = 12;

Parameters one_vector(const std::vector<double>& values, DType dtype = DType::float64,
                      const Device& device = reference) {
  Parameters p({{"w", {static_cast<std::int64_t>(values.size())}}}, dtype, device);
  if (dtype == DType::float64) {
    p.at("w").copy_from_host(values.data());
  } else {
    p.at("w").copy_from_host(std::vector<float>(values.begin(), values.end()).data());
  }
  return p;
}

// Makes `gradient` the gradient of the parameters: that of <w, gradient>.
void give_gradient(const Parameters& p, const std::vector<double>& gradient) {
  p.clear_gradients();
  const Tensor& w = p.at("w");
  Tensor g;
  if (w.dtype() == DType::float64) {
    g = Tensor::from(gradient, w.shape(), w.device());
  } else {
    g = Tensor::from(std::vector<float>(gradient.begin(), gradient.end()), w.shape(), w.device());
  }
  backward(sum(mul(w, g)));
}

// Signs and sizes that change from step to step.
std::vector<double> gradient_of(int step) {
  const double t = step;
  return {std::sin(t), 1e-8 * std::cos(t), 2 + t, -1 / (1 + t)};
}
double rate_of(int step) {
  return 0.01 / (1 + 0.1 * step);
}

const std::vector<double> start = {1, -2, 0.5, 3};

// One element's update: w and the gradient to the new w; t counts from 1.
using Rule = std::function<double(double w, double g, double lr, int t)>;

void expect_follows(Optimizer& optimizer, const Parameters& p, const std::function<Rule()>& rule,
                    double tolerance = 1e-12) {
  std::vector<double> expected = start;
  std::vector<Rule> rules;
  for (std::size_t i = 0; i < start.size(); ++i) rules.push_back(rule());
  for (int step = 0; step < steps; ++step) {
    const std::vector<double> g = gradient_of(step);
    give_gradient(p, g);
    optimizer.step(rate_of(step));
    const std::vector<double> actual = p.at("w").to_doubles();
    for (std::size_t i = 0; i < start.size(); ++i) {
      expected[i] = rules[i](expected[i], g[i], rate_of(step), step + 1);
      ASSERT_NEAR(actual[i], expected[i], tolerance * (1 + std::abs(expected[i])))
          << "element " << i << " after step " << step + 1;
    }
  }
  EXPECT_EQ(optimizer.steps(), steps);
}

// Keras: alpha = lr sqrt(1 - beta2^t) / (1 - beta1^t); w -= alpha m / (sqrt(v) + epsilon).
Rule keras_adam(double epsilon, double decay) {
  return [=, m = 0.0, v = 0.0](double w, double g, double lr, int t) mutable {
    w -= lr * decay * w;
    m = 0.9 * m + 0.1 * g;
    v = 0.999 * v + 0.001 * g * g;
    const double alpha = lr * std::sqrt(1 - std::pow(0.999, t)) / (1 - std::pow(0.9, t));
    return w - alpha * m / (std::sqrt(v) + epsilon);
  };
}

// PyTorch: w -= lr m^ / (sqrt(v^) + epsilon), both moments corrected first.
Rule torch_adam(double epsilon) {
  return [=, m = 0.0, v = 0.0](double w, double g, double lr, int t) mutable {
    m = 0.9 * m + 0.1 * g;
    v = 0.999 * v + 0.001 * g * g;
    const double m_hat = m / (1 - std::pow(0.9, t)), v_hat = v / (1 - std::pow(0.999, t));
    return w - lr * m_hat / (std::sqrt(v_hat) + epsilon);
  };
}

TEST(Adam, IsKeras) {
  const Parameters p = one_vector(start);
  Adam adam(p);
  expect_follows(adam, p, [] { return keras_adam(1e-7, 0); });
}

TEST(Adam, IsPyTorchWithItsEpsilon) {
  const Parameters p = one_vector(start);
  Adam adam(p, {.epsilon = 1e-8, .epsilon_after_correction = true});
  expect_follows(adam, p, [] { return torch_adam(1e-8); });
}

// Where gradients are as small as epsilon the two differ by its place: the first step is lr g / (g + epsilon)
// in PyTorch and lr g / (g + epsilon / sqrt(0.001)) in Keras.
TEST(Adam, EpsilonStandsWhereItShould) {
  for (const bool after : {false, true}) {
    const Parameters p = one_vector({0});
    Adam adam(p, {.epsilon = 1e-7, .epsilon_after_correction = after});
    give_gradient(p, {1e-7});
    adam.step(1);
    const double expected = after ? 0.5 : 1 / (1 + 1 / std::sqrt(0.001));
    EXPECT_NEAR(p.at("w").item(), -expected, 1e-9);
  }
}

TEST(Adam, FollowsInFloatOnTheCpu) {
  const Parameters p = one_vector(start, DType::float32, kernels::Cpu{});
  Adam adam(p);
  // 12 updates, each rounded to 24 bits.
  expect_follows(
      adam, p, [] { return keras_adam(1e-7, 0); }, 12 * 2 * 1.2e-7);
}

TEST(AdamW, DecaysApartFromTheGradient) {
  const Parameters p = one_vector(start);
  AdamW adamw(p, 0.05);
  expect_follows(adamw, p, [] { return keras_adam(1e-7, 0.05); });
}

TEST(Sgd, Plain) {
  const Parameters p = one_vector(start);
  Sgd sgd(p);
  expect_follows(sgd, p, [] { return [](double w, double g, double lr, int) { return w - lr * g; }; });
  EXPECT_TRUE(sgd.state().empty());
}

TEST(Sgd, DecayIsPartOfTheGradient) {
  const Parameters p = one_vector(start);
  Sgd sgd(p, {.weight_decay = 0.1});
  expect_follows(sgd, p,
                 [] { return [](double w, double g, double lr, int) { return w - lr * (g + 0.1 * w); }; });
}

TEST(Sgd, MomentumAsKeras) {
  for (const bool nesterov : {false, true}) {
    const Parameters p = one_vector(start);
    Sgd sgd(p, {.momentum = 0.9, .nesterov = nesterov});
    expect_follows(sgd, p, [nesterov] {
      return [nesterov, velocity = 0.0](double w, double g, double lr, int) mutable {
        velocity = 0.9 * velocity - lr * g;
        return nesterov ? w + 0.9 * velocity - lr * g : w + velocity;
      };
    });
  }
}

// Values, state and step count are all there is: a second optimiser goes on to the same bits.
TEST(Optimizer, ContinuesFromItsState) {
  const auto run = [](Optimizer& optimizer, const Parameters& p, int from, int to) {
    for (int step = from; step < to; ++step) {
      give_gradient(p, gradient_of(step));
      optimizer.step(rate_of(step));
    }
  };
  const Parameters whole = one_vector(start), first = one_vector(start), second = one_vector(start);
  Adam uninterrupted(whole), before(first), after(second);
  run(uninterrupted, whole, 0, 10);
  run(before, first, 0, 4);
  second.at("w").copy_from(first.at("w"));
  const std::vector<NamedTensor> from = before.state(), to = after.state();
  ASSERT_EQ(from.size(), 2u);
  EXPECT_EQ(from[0].name, "adam.m.w");
  EXPECT_EQ(from[1].name, "adam.v.w");
  for (std::size_t i = 0; i < from.size(); ++i) to[i].tensor.copy_from(from[i].tensor);
  after.set_steps(before.steps());
  run(after, second, 4, 10);
  EXPECT_EQ(second.at("w").to_doubles(), whole.at("w").to_doubles());
}

TEST(Optimizer, RefusesSettingsThatMakeNoSense) {
  const Parameters p = one_vector(start);
  EXPECT_THROW(Adam(p, {.beta1 = 1}), std::invalid_argument);
  EXPECT_THROW(Adam(p, {.epsilon = 0}), std::invalid_argument);
  EXPECT_THROW(AdamW(p, -1), std::invalid_argument);
  EXPECT_THROW(Sgd(p, {.momentum = 1}), std::invalid_argument);
  EXPECT_THROW(Adam(Parameters{}), std::invalid_argument);
  Sgd sgd(p);
  EXPECT_THROW(sgd.step(-1), std::invalid_argument);
  EXPECT_THROW(sgd.step(std::numeric_limits<double>::quiet_NaN()), std::invalid_argument);
  EXPECT_THROW(sgd.set_steps(-1), std::invalid_argument);
  EXPECT_EQ(sgd.steps(), 0);
}

TEST(ClipGradient, ByNorm) {
  const Parameters p({{"a", {2}}, {"b", {1}}}, DType::float64, reference);
  const auto give = [&](double a, double b) {
    p.clear_gradients();
    backward(add(scale(sum(p.at("a")), a), scale(sum(p.at("b")), b)));
  };
  give(2, 1);  // 2, 2, 1: norm 3
  EXPECT_NEAR(clip_gradient_norm(p, 1.5), 3, 1e-12);
  EXPECT_NEAR(p.at("a").grad().to_doubles()[1], 1, 1e-12);
  EXPECT_NEAR(p.at("b").grad().item(), 0.5, 1e-12);
  EXPECT_NEAR(clip_gradient_norm(p, 5), 1.5, 1e-12);
  EXPECT_NEAR(p.at("b").grad().item(), 0.5, 1e-12) << "was below the limit";
  give(std::numeric_limits<double>::infinity(), 1);
  EXPECT_FALSE(std::isfinite(clip_gradient_norm(p, 1)));
  EXPECT_EQ(p.at("b").grad().item(), 1);
  EXPECT_THROW(clip_gradient_norm(p, 0), std::invalid_argument);
}

TEST(ClipGradient, ByValue) {
  for (const DType dtype : {DType::float64, DType::float32}) {
    const Device device = dtype == DType::float64 ? reference : Device{kernels::Cpu{}};
    const Parameters p = one_vector(start, dtype, device);
    give_gradient(p, {0.25, -3, 7, -0.5});
    clip_gradient_value(p, 0.5);
    EXPECT_EQ(p.at("w").grad().to_doubles(), (std::vector<double>{0.25, -0.5, 0.5, -0.5}));
    EXPECT_THROW(clip_gradient_value(p, 0), std::invalid_argument);
  }
}

}  // namespace
}  // namespace roentgen::engine
