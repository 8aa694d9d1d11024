// Learning-rate schedules: pure functions of the step, which counts from 0, so that a resumed run needs none
// of their state.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

namespace roentgen::engine {

using Schedule = std::function<double(std::int64_t step)>;

// All throw std::invalid_argument on values that make no schedule.
Schedule constant_schedule(double lr);
// Rises linearly over `warmup` steps, reaching lr at the last of them, then falls as half a cosine, reaching
// final_lr at step `total` and staying there (Loshchilov and Hutter 2017, one cycle).
Schedule cosine_schedule(double lr, std::int64_t total, std::int64_t warmup = 0, double final_lr = 0);
// lr * rate^(step / decay_steps), as Keras' ExponentialDecay; with staircase the exponent is rounded down.
Schedule exponential_schedule(double lr, std::int64_t decay_steps, double rate, bool staircase = false);
// lr * factor^(number of whole `every` steps).
Schedule step_schedule(double lr, std::int64_t every, double factor);
// values[i] for steps up to and including boundaries[i], the last value after, as Keras'
// PiecewiseConstantDecay.
Schedule piecewise_schedule(std::vector<std::int64_t> boundaries, std::vector<double> values);
// Any schedule, its first `warmup` steps scaled by (step + 1) / warmup.
Schedule with_warmup(Schedule schedule, std::int64_t warmup);

}  // namespace roentgen::engine
