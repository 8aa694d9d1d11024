#include "kernels/softmax.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <string>

namespace roentgen::kernels {
namespace {

// log(sum_j exp(x[j])), with the maximum taken off first.
template <class T>
double log_sum_exp(const T* x, std::int64_t c) {
  double highest = -std::numeric_limits<double>::infinity(), total = 0;
  for (std::int64_t j = 0; j < c; ++j) highest = std::max(highest, static_cast<double>(x[j]));
  for (std::int64_t j = 0; j < c; ++j) total += std::exp(static_cast<double>(x[j]) - highest);
  return highest + std::log(total);
}

// sum_j a[j] b[j].
template <class T>
double dot(const T* a, const T* b, std::int64_t c) {
  double total = 0;
  for (std::int64_t j = 0; j < c; ++j) total += static_cast<double>(a[j]) * static_cast<double>(b[j]);
  return total;
}

void check_labels(const char* op, const CrossEntropyShape& shape, const std::int32_t* labels) {
  for (std::int64_t i = 0; i < shape.rows; ++i)
    if (labels[i] < 0 || labels[i] >= shape.c)
      throw std::invalid_argument(std::string(op) + ": label " + std::to_string(labels[i]) + " of row " +
                                  std::to_string(i) + " is outside [0, " + std::to_string(shape.c) + ")");
}

template <class M>
double weight(const M* class_weights, std::int64_t j) {
  return class_weights ? static_cast<double>(class_weights[j]) : 1;
}

// What the loss is divided by: the sum of the labels' weights.
template <class M>
double divisor(const CrossEntropyShape& shape, const std::int32_t* labels, const M* class_weights) {
  double total = 0;
  for (std::int64_t i = 0; i < shape.rows; ++i) total += weight(class_weights, labels[i]);
  return total;
}

}  // namespace

template <class T>
void softmax_forward(Reference, const T* x, T* y, std::int64_t rows, std::int64_t c) {
  for (std::int64_t i = 0; i < rows; ++i) {
    const double shift = log_sum_exp(x + i * c, c);
    for (std::int64_t j = i * c; j < (i + 1) * c; ++j)
      y[j] = static_cast<T>(std::exp(static_cast<double>(x[j]) - shift));
  }
}

template <class T>
void softmax_backward(Reference, const T* y, const T* dy, T* dx, std::int64_t rows, std::int64_t c) {
  for (std::int64_t i = 0; i < rows; ++i) {
    const double mean = dot(y + i * c, dy + i * c, c);
    for (std::int64_t j = i * c; j < (i + 1) * c; ++j)
      dx[j] = static_cast<T>(static_cast<double>(y[j]) * (static_cast<double>(dy[j]) - mean));
  }
}

template <class T>
void log_softmax_forward(Reference, const T* x, T* y, std::int64_t rows, std::int64_t c) {
  for (std::int64_t i = 0; i < rows; ++i) {
    const double shift = log_sum_exp(x + i * c, c);
    for (std::int64_t j = i * c; j < (i + 1) * c; ++j)
      y[j] = static_cast<T>(static_cast<double>(x[j]) - shift);
  }
}

template <class T>
void log_softmax_backward(Reference, const T* y, const T* dy, T* dx, std::int64_t rows, std::int64_t c) {
  for (std::int64_t i = 0; i < rows; ++i) {
    double total = 0;
    for (std::int64_t j = i * c; j < (i + 1) * c; ++j) total += static_cast<double>(dy[j]);
    for (std::int64_t j = i * c; j < (i + 1) * c; ++j)
      dx[j] = static_cast<T>(static_cast<double>(dy[j]) - std::exp(static_cast<double>(y[j])) * total);
  }
}

template <class T>
void cross_entropy_forward(Reference, const CrossEntropyShape& shape, const T* logits,
                           const std::int32_t* labels, const Master<T>* class_weights, Master<T>* loss,
                           Master<T>* log_p) {
  check_labels("cross_entropy", shape, labels);
  double total = 0;
  for (std::int64_t i = 0; i < shape.rows; ++i) {
    const T* x = logits + i * shape.c;
    const double shift = log_sum_exp(x, shape.c);
    double smooth = 0;  // sum_j w[j] log p[j]
    for (std::int64_t j = 0; j < shape.c; ++j) {
      const double log_probability = static_cast<double>(x[j]) - shift;
      log_p[i * shape.c + j] = static_cast<Master<T>>(log_probability);
      smooth += weight(class_weights, j) * log_probability;
    }
    const double target = weight(class_weights, labels[i]) * (static_cast<double>(x[labels[i]]) - shift);
    total -=
        (1 - shape.label_smoothing) * target + shape.label_smoothing / static_cast<double>(shape.c) * smooth;
  }
  *loss = static_cast<Master<T>>(total / divisor(shape, labels, class_weights));
}

// d l_i / d x[j] = p[j] (the sum of the targets' weights) - (the weight of target j).
template <class T>
void cross_entropy_backward(Reference, const CrossEntropyShape& shape, const Master<T>* log_p,
                            const std::int32_t* labels, const Master<T>* class_weights,
                            const Master<T>* dloss, T* dlogits) {
  check_labels("cross_entropy", shape, labels);
  const double factor = static_cast<double>(*dloss) / divisor(shape, labels, class_weights);
  const double smoothing = shape.label_smoothing / static_cast<double>(shape.c);
  for (std::int64_t i = 0; i < shape.rows; ++i) {
    const auto target = [&](std::int64_t j) {
      const double hard = j == labels[i] ? 1 - shape.label_smoothing : 0;
      return (hard + smoothing) * weight(class_weights, j);
    };
    double targets = 0;
    for (std::int64_t j = 0; j < shape.c; ++j) targets += target(j);
    for (std::int64_t j = 0; j < shape.c; ++j) {
      const double p = std::exp(static_cast<double>(log_p[i * shape.c + j]));
      dlogits[i * shape.c + j] = static_cast<T>(factor * (p * targets - target(j)));
    }
  }
}

#define ROENTGEN_INSTANTIATE(T)                                                                           \
  template void softmax_forward(Reference, const T*, T*, std::int64_t, std::int64_t);                     \
  template void softmax_backward(Reference, const T*, const T*, T*, std::int64_t, std::int64_t);          \
  template void log_softmax_forward(Reference, const T*, T*, std::int64_t, std::int64_t);                 \
  template void log_softmax_backward(Reference, const T*, const T*, T*, std::int64_t, std::int64_t);      \
  template void cross_entropy_forward(Reference, const CrossEntropyShape&, const T*, const std::int32_t*, \
                                      const Master<T>*, Master<T>*, Master<T>*);                          \
  template void cross_entropy_backward(Reference, const CrossEntropyShape&, const Master<T>*,             \
                                       const std::int32_t*, const Master<T>*, const Master<T>*, T*);
ROENTGEN_INSTANTIATE(float)
ROENTGEN_INSTANTIATE(double)
ROENTGEN_INSTANTIATE(bfloat16)
#undef ROENTGEN_INSTANTIATE

}  // namespace roentgen::kernels
