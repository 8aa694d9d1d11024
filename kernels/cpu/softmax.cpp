// Rows in float, their sums in double.
#include "kernels/softmax.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

#include "kernels/cpu/parallel.h"

namespace roentgen::kernels {
namespace {

constexpr std::int64_t grain = 1 << 12;  // elements a task takes; an exponential each

// Calls f(row's first element) for each row of [rows, c].
template <class F>
void for_each_row(std::int64_t rows, std::int64_t c, F f) {
  parallel_ranges(rows, std::max<std::int64_t>(grain / std::max<std::int64_t>(c, 1), 1),
                  [&](std::int64_t begin, std::int64_t end) {
                    for (std::int64_t i = begin; i < end; ++i) f(i * c);
                  });
}

// A row's maximum, and the sum of the exponentials once it is taken off.
struct Scale {
  float highest;
  double total;
};

template <class T>
Scale row_scale(const T* x, std::int64_t c) {
  Scale s{-std::numeric_limits<float>::infinity(), 0};
  for (std::int64_t j = 0; j < c; ++j) s.highest = std::max(s.highest, static_cast<float>(x[j]));
  for (std::int64_t j = 0; j < c; ++j)
    s.total += static_cast<double>(std::exp(static_cast<float>(x[j]) - s.highest));
  return s;
}

void check_labels(const CrossEntropyShape& shape, const std::int32_t* labels) {
  const auto bad = std::find_if(labels, labels + shape.rows,
                                [&](std::int32_t label) { return label < 0 || label >= shape.c; });
  if (bad != labels + shape.rows)
    throw std::invalid_argument("cross_entropy: label " + std::to_string(*bad) + " of row " +
                                std::to_string(bad - labels) + " is outside [0, " + std::to_string(shape.c) +
                                ")");
}

double label_weight_sum(const CrossEntropyShape& shape, const std::int32_t* labels,
                        const float* class_weights) {
  if (!class_weights) return static_cast<double>(shape.rows);
  double total = 0;
  for (std::int64_t i = 0; i < shape.rows; ++i) total += static_cast<double>(class_weights[labels[i]]);
  return total;
}

}  // namespace

template <class T>
void softmax_forward(Cpu, const T* x, T* y, std::int64_t rows, std::int64_t c) {
  for_each_row(rows, c, [=](std::int64_t row) {
    const Scale s = row_scale(x + row, c);
    const float share = static_cast<float>(1 / s.total);
    for (std::int64_t j = row; j < row + c; ++j)
      y[j] = static_cast<T>(std::exp(static_cast<float>(x[j]) - s.highest) * share);
  });
}

template <class T>
void softmax_backward(Cpu, const T* y, const T* dy, T* dx, std::int64_t rows, std::int64_t c) {
  for_each_row(rows, c, [=](std::int64_t row) {
    double mean = 0;
    for (std::int64_t j = row; j < row + c; ++j)
      mean += static_cast<double>(y[j]) * static_cast<double>(dy[j]);
    for (std::int64_t j = row; j < row + c; ++j)
      dx[j] = static_cast<T>(static_cast<double>(y[j]) * (static_cast<double>(dy[j]) - mean));
  });
}

template <class T>
void log_softmax_forward(Cpu, const T* x, T* y, std::int64_t rows, std::int64_t c) {
  for_each_row(rows, c, [=](std::int64_t row) {
    const Scale s = row_scale(x + row, c);
    const float log_total = static_cast<float>(std::log(s.total));
    for (std::int64_t j = row; j < row + c; ++j)
      y[j] = static_cast<T>((static_cast<float>(x[j]) - s.highest) - log_total);
  });
}

template <class T>
void log_softmax_backward(Cpu, const T* y, const T* dy, T* dx, std::int64_t rows, std::int64_t c) {
  for_each_row(rows, c, [=](std::int64_t row) {
    double total = 0;
    for (std::int64_t j = row; j < row + c; ++j) total += static_cast<double>(dy[j]);
    for (std::int64_t j = row; j < row + c; ++j)
      dx[j] = static_cast<T>(static_cast<double>(dy[j]) -
                             static_cast<double>(std::exp(static_cast<float>(y[j]))) * total);
  });
}

template <class T>
void cross_entropy_forward(Cpu, const CrossEntropyShape& shape, const T* logits, const std::int32_t* labels,
                           const Master<T>* class_weights, Master<T>* loss, Master<T>* log_p) {
  check_labels(shape, labels);
  const std::int64_t c = shape.c;
  const double smoothing = shape.label_smoothing;
  std::vector<double> losses(static_cast<std::size_t>(shape.rows));
  for_each_row(shape.rows, c, [&](std::int64_t row) {
    const Scale s = row_scale(logits + row, c);
    const double log_total = std::log(s.total);
    const auto log_probability = [&](std::int64_t j) {
      return static_cast<double>(logits[row + j]) - static_cast<double>(s.highest) - log_total;
    };
    double smooth = 0;
    for (std::int64_t j = 0; j < c; ++j) {
      const double value = log_probability(j);
      log_p[row + j] = static_cast<float>(value);
      smooth += class_weights ? static_cast<double>(class_weights[j]) * value : value;
    }
    const std::int64_t i = row / c, label = labels[i];
    const double weight = class_weights ? static_cast<double>(class_weights[label]) : 1;
    losses[static_cast<std::size_t>(i)] =
        -(1 - smoothing) * weight * log_probability(label) - smoothing / static_cast<double>(c) * smooth;
  });
  double total = 0;
  for (const double l : losses) total += l;
  *loss = static_cast<float>(total / label_weight_sum(shape, labels, class_weights));
}

template <class T>
void cross_entropy_backward(Cpu, const CrossEntropyShape& shape, const Master<T>* log_p,
                            const std::int32_t* labels, const Master<T>* class_weights,
                            const Master<T>* dloss, T* dlogits) {
  check_labels(shape, labels);
  const std::int64_t c = shape.c;
  const double hard = 1 - shape.label_smoothing, soft = shape.label_smoothing / static_cast<double>(c);
  const double factor = static_cast<double>(*dloss) / label_weight_sum(shape, labels, class_weights);
  const auto weight = [&](std::int64_t j) {
    return class_weights ? static_cast<double>(class_weights[j]) : 1.0;
  };
  double all_weights = 0;
  for (std::int64_t j = 0; j < c; ++j) all_weights += weight(j);
  for_each_row(shape.rows, c, [&](std::int64_t row) {
    const std::int64_t label = labels[row / c];
    const double targets = hard * weight(label) + soft * all_weights;
    for (std::int64_t j = 0; j < c; ++j) {
      const double target = (j == label ? hard + soft : soft) * weight(j);
      const double p = static_cast<double>(std::exp(log_p[row + j]));
      dlogits[row + j] = static_cast<T>(factor * (p * targets - target));
    }
  });
}

#define ROENTGEN_INSTANTIATE(T)                                                                              \
  template void softmax_forward(Cpu, const T*, T*, std::int64_t, std::int64_t);                              \
  template void softmax_backward(Cpu, const T*, const T*, T*, std::int64_t, std::int64_t);                   \
  template void log_softmax_forward(Cpu, const T*, T*, std::int64_t, std::int64_t);                          \
  template void log_softmax_backward(Cpu, const T*, const T*, T*, std::int64_t, std::int64_t);               \
  template void cross_entropy_forward(Cpu, const CrossEntropyShape&, const T*, const std::int32_t*,          \
                                      const Master<T>*, Master<T>*, Master<T>*);                             \
  template void cross_entropy_backward(Cpu, const CrossEntropyShape&, const Master<T>*, const std::int32_t*, \
                                       const Master<T>*, const Master<T>*, T*);
ROENTGEN_INSTANTIATE(float)
ROENTGEN_INSTANTIATE(bfloat16)
#undef ROENTGEN_INSTANTIATE

}  // namespace roentgen::kernels
