// The differentiable ops. Each lives in engine/ops/<op>.cpp, its backward directly below its forward.
// Activations are float32, float64 (reference only) or bfloat16; weights, biases and losses beside them are
// of master_of(dtype): an op lowers float32 weights to its activations' type itself. Images are [N, H, W, C].
// Wrong shapes, types or devices throw std::invalid_argument naming the op and the shapes.
#pragma once

#include "engine/tensor.h"
#include "kernels/philox.h"

namespace roentgen::engine {

using kernels::RandomKey;

// Arithmetic with NumPy's broadcasting.
Tensor add(const Tensor& a, const Tensor& b);
Tensor sub(const Tensor& a, const Tensor& b);
Tensor mul(const Tensor& a, const Tensor& b);
Tensor div(const Tensor& a, const Tensor& b);
Tensor scale(const Tensor& x, double factor);
Tensor cast(const Tensor& x, DType dtype);

// Activations.
Tensor relu(const Tensor& x);
Tensor leaky_relu(const Tensor& x, double slope = 0.01);
Tensor sigmoid(const Tensor& x);
Tensor tanh(const Tensor& x);
Tensor gelu(const Tensor& x);  // exact, with erf

// a [..., m, k] times b [..., k, n] or [k, n]; the leading axes must agree.
Tensor matmul(const Tensor& a, const Tensor& b, bool transpose_a = false, bool transpose_b = false);
// x [..., in], w [out, in], bias [out] or undefined: [..., out].
Tensor linear(const Tensor& x, const Tensor& w, const Tensor& bias = {});

struct Conv2dOptions {
  std::int64_t stride_h = 1, stride_w = 1;
  std::int64_t pad_h = 0, pad_w = 0;
  std::int64_t dilation_h = 1, dilation_w = 1;
};
// x [n, h, w, c], filters [k, r, s, c], bias [k] or undefined: [n, out_h, out_w, k].
Tensor conv2d(const Tensor& x, const Tensor& filters, const Tensor& bias = {},
              const Conv2dOptions& options = {});

struct Pool2dOptions {
  std::int64_t kernel_h = 2, kernel_w = 2;
  std::int64_t stride_h = 2, stride_w = 2;
  std::int64_t pad_h = 0, pad_w = 0;
  std::int64_t dilation_h = 1, dilation_w = 1;  // max_pool2d only
};
Tensor max_pool2d(const Tensor& x, const Pool2dOptions& options = {});
Tensor avg_pool2d(const Tensor& x, const Pool2dOptions& options = {});  // padding does not count
Tensor global_avg_pool2d(const Tensor& x);                              // [n, h, w, c] to [n, c]

// Over all axes but the last. Training normalises by the batch's statistics and moves the running ones
// (running = momentum * running + (1 - momentum) * batch, as Keras); inference uses the running ones.
struct BatchNormOptions {
  double epsilon = 1e-3, momentum = 0.99;
  bool training = true;
};
Tensor batch_norm(const Tensor& x, const Tensor& gamma, const Tensor& beta, const Tensor& running_mean,
                  const Tensor& running_variance, const BatchNormOptions& options = {});

// Zeroes each element with probability `rate` in [0, 1) and divides the others by 1 - rate.
Tensor dropout(const Tensor& x, double rate, const RandomKey& key);

// Over the last axis.
Tensor softmax(const Tensor& x);
Tensor log_softmax(const Tensor& x);

// Mean cross-entropy of logits [n, c] against labels [n] (int32), from logits in one stable step; a scalar of
// master type. class_weights [c] or undefined: the mean is then weighted by each label's weight, as in
// PyTorch.
struct CrossEntropyOptions {
  double label_smoothing = 0;
};
Tensor cross_entropy(const Tensor& logits, const Tensor& labels, const Tensor& class_weights = {},
                     const CrossEntropyOptions& options = {});

// Over the given axes (all when empty; negative ones count from the last).
Tensor sum(const Tensor& x, const std::vector<std::int64_t>& axes = {}, bool keep_dims = false);
Tensor mean(const Tensor& x, const std::vector<std::int64_t>& axes = {}, bool keep_dims = false);
Tensor max(const Tensor& x, const std::vector<std::int64_t>& axes = {},
           bool keep_dims = false);  // first wins ties

// Shapes. One extent may be -1. reshape and flatten share memory, the others copy.
Tensor reshape(const Tensor& x, Shape shape);
Tensor flatten(const Tensor& x);  // [n, ...] to [n, product]
Tensor permute(const Tensor& x, const std::vector<std::int64_t>& order);
Tensor concat(const std::vector<Tensor>& parts, std::int64_t axis);
// Elements first, first + step, ... before last of one axis.
Tensor slice(const Tensor& x, std::int64_t axis, std::int64_t first, std::int64_t last,
             std::int64_t step = 1);
// before[i] and after[i] elements of `value` are added around axis i.
Tensor pad(const Tensor& x, const std::vector<std::int64_t>& before, const std::vector<std::int64_t>& after,
           double value = 0);

// Fused blocks: equal to the composition of the plain ops, with the same masks.
struct ConvBlockOptions {
  Conv2dOptions conv;
  std::int64_t pool = 2;  // windows of pool x pool side by side; 1 leaves the pooling out
  double rate = 0;        // of dropout
  RandomKey key = {};
};
// dropout(max_pool2d(relu(conv2d(x, filters, bias)))).
Tensor conv_block(const Tensor& x, const Tensor& filters, const Tensor& bias,
                  const ConvBlockOptions& options = {});
// dropout(relu(linear(x, w, bias))).
Tensor linear_block(const Tensor& x, const Tensor& w, const Tensor& bias, double rate = 0,
                    const RandomKey& key = {});

// Images [n, h, w, c] of bytes to floats scaled by 1/255, read through affine maps where there are any (a
// uint8 tensor holding kernels::Affine per image, or undefined). No gradient.
Tensor augment(const Tensor& images, const Tensor& maps, DType dtype, double scale = 1.0 / 255);

}  // namespace roentgen::engine
