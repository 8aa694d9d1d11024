#include "engine/check.h"
#include "engine/dispatch.h"
#include "engine/ops.h"
#include "engine/tape.h"
#include "kernels/pool.h"

namespace roentgen::engine {
namespace {

kernels::Pool2dShape pool2d_shape(const char* op, const Tensor& x, const Pool2dOptions& options) {
  require(x.defined() && x.rank() == 4, "{}: takes x [n, h, w, c], not {}", op, to_string(x.shape()));
  require(options.kernel_h >= 1 && options.kernel_w >= 1 && options.stride_h >= 1 && options.stride_w >= 1 &&
              options.dilation_h >= 1 && options.dilation_w >= 1,
          "{}: takes windows, strides and dilations of 1 or more", op);
  const std::int64_t reach_h = options.dilation_h * (options.kernel_h - 1) + 1;
  const std::int64_t reach_w = options.dilation_w * (options.kernel_w - 1) + 1;
  require(options.pad_h >= 0 && options.pad_w >= 0 && options.pad_h < reach_h && options.pad_w < reach_w,
          "{}: takes padding from 0 to less than the window's {} x {}, not {} x {}", op, reach_h, reach_w,
          options.pad_h, options.pad_w);
  require(x.dim(1) + 2 * options.pad_h >= reach_h && x.dim(2) + 2 * options.pad_w >= reach_w,
          "{}: windows of {} x {} are larger than x {} with padding {} x {}", op, reach_h, reach_w,
          to_string(x.shape()), options.pad_h, options.pad_w);
  return {.n = x.dim(0),
          .h = x.dim(1),
          .w = x.dim(2),
          .c = x.dim(3),
          .kernel_h = options.kernel_h,
          .kernel_w = options.kernel_w,
          .stride_h = options.stride_h,
          .stride_w = options.stride_w,
          .pad_h = options.pad_h,
          .pad_w = options.pad_w,
          .dilation_h = options.dilation_h,
          .dilation_w = options.dilation_w};
}

}  // namespace

Tensor max_pool2d(const Tensor& x, const Pool2dOptions& options) {
  const kernels::Pool2dShape shape = pool2d_shape("max_pool2d", x, options);
  Tensor y({shape.n, shape.out_h(), shape.out_w(), shape.c}, x.dtype(), x.device());
  const Tensor argmax(y.shape(), DType::int32, x.device());
  dispatch("max_pool2d", x, [&]<class T>(auto device, T) {
    kernels::max_pool_forward(device, shape, x.data<T>(), y.data<T>(), argmax.data<std::int32_t>());
  });
  return record(y, {x}, [shape, argmax, x_shape = x.shape()](const Tensor& dy) -> std::vector<Tensor> {
    Tensor dx(x_shape, dy.dtype(), dy.device());
    dispatch("max_pool2d", dy, [&]<class T>(auto device, T) {
      kernels::max_pool_backward(device, shape, dy.data<T>(), argmax.data<std::int32_t>(), dx.data<T>());
    });
    return {dx};
  });
}

Tensor avg_pool2d(const Tensor& x, const Pool2dOptions& options) {
  require(options.dilation_h == 1 && options.dilation_w == 1, "avg_pool2d: takes no dilation");
  const kernels::Pool2dShape shape = pool2d_shape("avg_pool2d", x, options);
  Tensor y({shape.n, shape.out_h(), shape.out_w(), shape.c}, x.dtype(), x.device());
  dispatch("avg_pool2d", x, [&]<class T>(auto device, T) {
    kernels::avg_pool_forward(device, shape, x.data<T>(), y.data<T>());
  });
  return record(y, {x}, [shape, x_shape = x.shape()](const Tensor& dy) -> std::vector<Tensor> {
    Tensor dx(x_shape, dy.dtype(), dy.device());
    dispatch("avg_pool2d", dy, [&]<class T>(auto device, T) {
      kernels::avg_pool_backward(device, shape, dy.data<T>(), dx.data<T>());
    });
    return {dx};
  });
}

Tensor global_avg_pool2d(const Tensor& x) {
  require(x.defined() && x.rank() == 4 && x.dim(1) * x.dim(2) > 0,
          "global_avg_pool2d: takes x [n, h, w, c] with h, w of 1 or more, not {}", to_string(x.shape()));
  return mean(x, {1, 2});
}

}  // namespace roentgen::engine
