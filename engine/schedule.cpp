#include "engine/schedule.h"

#include <algorithm>
#include <cmath>

#include "engine/check.h"

namespace roentgen::engine {
namespace {

constexpr double pi = 3.14159265358979323846;

void require_rate(double lr) {
  require(std::isfinite(lr) && lr >= 0, "schedule: takes a learning rate of 0 or more, not {}", lr);
}

}  // namespace

Schedule constant_schedule(double lr) {
  require_rate(lr);
  return [lr](std::int64_t) { return lr; };
}

Schedule cosine_schedule(double lr, std::int64_t total, std::int64_t warmup, double final_lr) {
  require_rate(lr);
  require_rate(final_lr);
  require(warmup >= 0 && total > warmup, "schedule: takes more steps than the warm-up's {}, not {}", warmup,
          total);
  return [=](std::int64_t step) {
    if (step < warmup) return lr * static_cast<double>(step + 1) / static_cast<double>(warmup);
    const double done =
        static_cast<double>(std::min(step, total) - warmup) / static_cast<double>(total - warmup);
    return final_lr + (lr - final_lr) * 0.5 * (1 + std::cos(pi * done));
  };
}

Schedule exponential_schedule(double lr, std::int64_t decay_steps, double rate, bool staircase) {
  require_rate(lr);
  require(decay_steps >= 1 && rate > 0, "schedule: takes decay steps of 1 or more and a rate above 0");
  return [=](std::int64_t step) {
    const double exponent = static_cast<double>(step) / static_cast<double>(decay_steps);
    return lr * std::pow(rate, staircase ? std::floor(exponent) : exponent);
  };
}

Schedule step_schedule(double lr, std::int64_t every, double factor) {
  return exponential_schedule(lr, every, factor, true);
}

Schedule piecewise_schedule(std::vector<std::int64_t> boundaries, std::vector<double> values) {
  require(values.size() == boundaries.size() + 1, "schedule: {} boundaries part {} values, not {}",
          boundaries.size(), boundaries.size() + 1, values.size());
  require(std::is_sorted(boundaries.begin(), boundaries.end()), "schedule: boundaries must rise");
  for (const double value : values) require_rate(value);
  return [boundaries = std::move(boundaries), values = std::move(values)](std::int64_t step) {
    const auto passed = std::lower_bound(boundaries.begin(), boundaries.end(), step) - boundaries.begin();
    return values[static_cast<std::size_t>(passed)];
  };
}

Schedule with_warmup(Schedule schedule, std::int64_t warmup) {
  require(warmup >= 0, "schedule: takes a warm-up of 0 or more steps, not {}", warmup);
  return [schedule = std::move(schedule), warmup](std::int64_t step) {
    const double lr = schedule(step);
    return step < warmup ? lr * static_cast<double>(step + 1) / static_cast<double>(warmup) : lr;
  };
}

}  // namespace roentgen::engine
