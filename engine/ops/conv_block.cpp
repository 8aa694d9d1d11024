#include "engine/dispatch.h"
#include "engine/ops.h"
#include "engine/ops/conv2d_shape.h"
#include "engine/tape.h"
#include "kernels/blocks.h"

namespace roentgen::engine {

Tensor conv_block(const Tensor& x, const Tensor& filters, const Tensor& bias,
                  const ConvBlockOptions& options) {
  const kernels::ConvBlockShape shape{.conv = conv2d_shape("conv_block", x, filters, bias, options.conv),
                                      .pool = options.pool,
                                      .rate = static_cast<float>(options.rate),
                                      .key = options.key};
  require(options.pool >= 1 && options.pool <= 15 && shape.rate >= 0 && shape.rate < 1,
          "conv_block: takes pooling from 1 to 15 and a rate in [0, 1), not {} and {}", options.pool,
          options.rate);
  require(shape.out_h() >= 1 && shape.out_w() >= 1,
          "conv_block: the convolution leaves {} x {}, less than one window of {} x {}", shape.conv.out_h(),
          shape.conv.out_w(), shape.pool, shape.pool);
  Tensor y({shape.conv.n, shape.out_h(), shape.out_w(), shape.conv.k}, x.dtype(), x.device());
  const GradientSlot to_x(x), to_filters(filters), to_bias(bias);
  Tensor mask;
  if (to_x.wanted() || to_filters.wanted() || to_bias.wanted()) {
    mask = on(x.device(), [&](auto device) {
      return Tensor({kernels::conv_block_mask_bytes(device, shape)}, DType::uint8, device);
    });
  }
  const Tensor lowered = cast(filters.detach(), x.dtype());
  dispatch("conv_block", x, [&]<class T>(auto device, T) {
    kernels::conv_block_forward(device, shape, x.data<T>(), lowered.data<T>(),
                                bias.defined() ? bias.data<Master<T>>() : nullptr, y.data<T>(),
                                mask.defined() ? mask.data<std::uint8_t>() : nullptr);
  });
  return record(y, {x, filters, bias}, [=, x = x.detach()](const Tensor& dy) -> std::vector<Tensor> {
    const Tensor dx = to_x.make(), dfilters = to_filters.make_anyway(), dbias = to_bias.make();
    dispatch("conv_block", x, [&]<class T>(auto device, T) {
      kernels::conv_block_backward(device, shape, x.data<T>(), lowered.data<T>(), mask.data<std::uint8_t>(),
                                   dy.data<T>(), to_x.wanted() ? dx.data<T>() : nullptr,
                                   dfilters.data<Master<T>>(),
                                   to_bias.wanted() ? dbias.data<Master<T>>() : nullptr);
    });
    return {dx, dfilters, dbias};
  });
}

}  // namespace roentgen::engine
