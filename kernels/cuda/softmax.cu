// One warp for each row: its lanes stride over the classes and combine by shuffles.
#include "kernels/softmax.h"

#include "kernels/cuda/reduction.h"

namespace roentgen::kernels {
namespace {

constexpr unsigned full_warp = 0xFFFFFFFFu;
constexpr std::int64_t rows_per_block = block_threads / 32;

__device__ __forceinline__ float warp_sum(float value) {
#pragma unroll
  for (int by = 16; by > 0; by /= 2) value += __shfl_xor_sync(full_warp, value, by);
  return value;
}
__device__ __forceinline__ float warp_max(float value) {
#pragma unroll
  for (int by = 16; by > 0; by /= 2) value = fmaxf(value, __shfl_xor_sync(full_warp, value, by));
  return value;
}

// This warp's row, and its lane. All warps take part in the shuffles; those past the end get no elements.
struct Place {
  std::int64_t row, begin, end;
  int lane;

  __device__ Place(std::int64_t rows, std::int64_t c) {
    row = blockIdx.x * rows_per_block + threadIdx.x / 32;
    lane = static_cast<int>(threadIdx.x % 32);
    begin = row * c;
    end = row < rows ? begin + c : begin;
  }
};

// {max, log sum exp(x - max)} of the row. Their sum is what log-softmax takes off; it is taken off in two
// steps, since the sum would lose the digits of the logarithm beside a large maximum.
struct Normaliser {
  float highest, log_sum;
  __device__ float operator()(float x) const { return x - highest - log_sum; }
};
template <class T>
__device__ Normaliser normaliser(const T* x, const Place& place) {
  float highest = -INFINITY, total = 0;
  for (std::int64_t i = place.begin + place.lane; i < place.end; i += 32)
    highest = fmaxf(highest, widen(x[i]));
  highest = warp_max(highest);
  for (std::int64_t i = place.begin + place.lane; i < place.end; i += 32)
    total += expf(widen(x[i]) - highest);
  return {highest, logf(warp_sum(total))};
}

template <class T, bool logarithm>
__global__ void __launch_bounds__(block_threads)
    forward_kernel(std::int64_t rows, std::int64_t c, const T* x, T* y) {
  const Place place(rows, c);
  const Normaliser normal = normaliser(x, place);
  for (std::int64_t i = place.begin + place.lane; i < place.end; i += 32) {
    const float value = normal(widen(x[i]));
    y[i] = narrow<T>(logarithm ? value : expf(value));
  }
}

template <class T, bool logarithm>
__global__ void __launch_bounds__(block_threads)
    backward_kernel(std::int64_t rows, std::int64_t c, const T* y, const T* dy, T* dx) {
  const Place place(rows, c);
  float total = 0;
  for (std::int64_t i = place.begin + place.lane; i < place.end; i += 32)
    total += logarithm ? widen(dy[i]) : widen(y[i]) * widen(dy[i]);
  total = warp_sum(total);
  for (std::int64_t i = place.begin + place.lane; i < place.end; i += 32) {
    const float v = widen(y[i]), d = widen(dy[i]);
    dx[i] = narrow<T>(logarithm ? d - expf(v) * total : v * (d - total));
  }
}

unsigned row_blocks(std::int64_t rows) {
  return static_cast<unsigned>(divide_up(rows, rows_per_block));
}

struct Targets {
  const std::int32_t* labels;
  const float* class_weights;
  float smoothing;
  std::int64_t c;

  __device__ float weight(std::int64_t j) const { return class_weights ? class_weights[j] : 1.0f; }
  // A label out of range cannot throw here: it makes the loss NaN.
  __device__ float label_weight(std::int64_t row) const {
    const std::int32_t label = labels[row];
    return label >= 0 && label < c ? weight(label) : NAN;
  }
  __device__ float of(std::int64_t row, std::int64_t j) const {
    return ((j == labels[row] ? 1.0f - smoothing : 0.0f) + smoothing / static_cast<float>(c)) * weight(j);
  }
};

// losses[row] = -sum_j target(j) log p[j].
template <class T>
__global__ void __launch_bounds__(block_threads)
    log_p_kernel(std::int64_t rows, Targets targets, const T* logits, float* log_p, float* losses) {
  const Place place(rows, targets.c);
  const Normaliser normal = normaliser(logits, place);
  float loss = 0;
  for (std::int64_t i = place.begin + place.lane; i < place.end; i += 32) {
    const float value = normal(widen(logits[i]));
    log_p[i] = value;
    const float target = targets.of(place.row, i - place.begin);
    if (target != 0) loss -= target * value;  // 0 * infinity is not a number
  }
  loss = warp_sum(loss);
  if (place.lane == 0 && place.row < rows) losses[place.row] = loss;
}

struct RowLoss {
  const float* losses;
  Targets targets;
  __device__ Sums<2> operator()(std::uint32_t, std::uint32_t row) const {
    return {{losses[row], targets.label_weight(row)}};
  }
};
struct WriteLoss {
  float* loss;
  __device__ void operator()(std::uint32_t, const Sums<2>& sums) const { *loss = sums.at[0] / sums.at[1]; }
};

struct LabelWeight {
  Targets targets;
  __device__ Sums<1> operator()(std::uint32_t, std::uint32_t row) const {
    return {{targets.label_weight(row)}};
  }
};
struct WriteSum {
  float* sum;
  __device__ void operator()(std::uint32_t, const Sums<1>& sums) const { *sum = sums.at[0]; }
};

// d l_i / d x[j] = p[j] (the sum of the targets' weights) - (the weight of target j).
template <class T>
__global__ void __launch_bounds__(block_threads)
    cross_entropy_kernel(std::int64_t rows, Targets targets, const float* log_p, const float* dloss,
                         const float* divisor, T* dlogits) {
  const Place place(rows, targets.c);
  const float factor = *dloss / *divisor;
  float total = 0;
  for (std::int64_t i = place.begin + place.lane; i < place.end; i += 32)
    total += targets.of(place.row, i - place.begin);
  total = warp_sum(total);
  for (std::int64_t i = place.begin + place.lane; i < place.end; i += 32)
    dlogits[i] = narrow<T>(factor * (expf(log_p[i]) * total - targets.of(place.row, i - place.begin)));
}

Targets targets_of(const CrossEntropyShape& shape, const std::int32_t* labels, const float* class_weights) {
  return {labels, class_weights, static_cast<float>(shape.label_smoothing), shape.c};
}

}  // namespace

template <class T>
void softmax_forward(Cuda device, const T* x, T* y, std::int64_t rows, std::int64_t c) {
  if (rows > 0) launch(device, forward_kernel<T, false>, row_blocks(rows), block_threads, rows, c, x, y);
}
template <class T>
void softmax_backward(Cuda device, const T* y, const T* dy, T* dx, std::int64_t rows, std::int64_t c) {
  if (rows > 0)
    launch(device, backward_kernel<T, false>, row_blocks(rows), block_threads, rows, c, y, dy, dx);
}
template <class T>
void log_softmax_forward(Cuda device, const T* x, T* y, std::int64_t rows, std::int64_t c) {
  if (rows > 0) launch(device, forward_kernel<T, true>, row_blocks(rows), block_threads, rows, c, x, y);
}
template <class T>
void log_softmax_backward(Cuda device, const T* y, const T* dy, T* dx, std::int64_t rows, std::int64_t c) {
  if (rows > 0) launch(device, backward_kernel<T, true>, row_blocks(rows), block_threads, rows, c, y, dy, dx);
}

template <class T>
void cross_entropy_forward(Cuda device, const CrossEntropyShape& shape, const T* logits,
                           const std::int32_t* labels, const Master<T>* class_weights, Master<T>* loss,
                           Master<T>* log_p) {
  const Targets targets = targets_of(shape, labels, class_weights);
  const Scratch<float> losses(device, shape.rows);
  if (shape.rows > 0) {
    launch(device, log_p_kernel<T>, row_blocks(shape.rows), block_threads, shape.rows, targets, logits, log_p,
           losses.data());
  }
  sum_over<2>(device, "cross_entropy", 1, shape.rows, false, RowLoss{losses.data(), targets},
              WriteLoss{loss});
}

template <class T>
void cross_entropy_backward(Cuda device, const CrossEntropyShape& shape, const Master<T>* log_p,
                            const std::int32_t* labels, const Master<T>* class_weights,
                            const Master<T>* dloss, T* dlogits) {
  if (shape.rows == 0) return;
  const Targets targets = targets_of(shape, labels, class_weights);
  const Scratch<float> divisor(device, 1);
  sum_over<1>(device, "cross_entropy", 1, shape.rows, false, LabelWeight{targets}, WriteSum{divisor.data()});
  launch(device, cross_entropy_kernel<T>, row_blocks(shape.rows), block_threads, shape.rows, targets, log_p,
         dloss, static_cast<const float*>(divisor.data()), dlogits);
}

#define ROENTGEN_INSTANTIATE(T)                                                                      \
  template void softmax_forward(Cuda, const T*, T*, std::int64_t, std::int64_t);                     \
  template void softmax_backward(Cuda, const T*, const T*, T*, std::int64_t, std::int64_t);          \
  template void log_softmax_forward(Cuda, const T*, T*, std::int64_t, std::int64_t);                 \
  template void log_softmax_backward(Cuda, const T*, const T*, T*, std::int64_t, std::int64_t);      \
  template void cross_entropy_forward(Cuda, const CrossEntropyShape&, const T*, const std::int32_t*, \
                                      const Master<T>*, Master<T>*, Master<T>*);                     \
  template void cross_entropy_backward(Cuda, const CrossEntropyShape&, const Master<T>*,             \
                                       const std::int32_t*, const Master<T>*, const Master<T>*, T*);
ROENTGEN_INSTANTIATE(float)
ROENTGEN_INSTANTIATE(bfloat16)
#undef ROENTGEN_INSTANTIATE

}  // namespace roentgen::kernels
