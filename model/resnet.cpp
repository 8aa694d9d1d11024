#include "model/resnet.h"

namespace roentgen::model {
namespace {

Conv2D conv(std::int64_t filters, std::int64_t kernel, std::int64_t stride = 1) {
  return Conv2D(filters, kernel,
                {.strides = stride,
                 .padding = Padding::same,
                 .use_bias = false,
                 .initializer = Initializer::he_normal});
}

Residual block(std::int64_t filters, std::int64_t stride, bool projected) {
  Chain main(conv(filters, 3, stride), BatchNormalization(), ActivationLayer(Activation::relu),
             conv(filters, 3), BatchNormalization());
  return projected ? Residual(std::move(main), Chain(conv(filters, 1, stride), BatchNormalization()))
                   : Residual(std::move(main));
}

}  // namespace

Sequential resnet18(const Resnet18Options& options) {
  Sequential net({options.image_size, options.image_size, options.channels}, conv(options.width, 7, 2),
                 BatchNormalization(), ActivationLayer(Activation::relu),
                 MaxPooling2D(3, {.strides = 2, .padding = Padding::same}));
  for (std::int64_t stage = 0; stage < 4; ++stage) {
    const std::int64_t filters = options.width << stage;
    net.add(block(filters, stage == 0 ? 1 : 2, stage != 0));
    net.add(block(filters, 1, false));
  }
  net.add(GlobalAveragePooling2D());
  net.add(Dense(options.classes, Activation::softmax));
  return net;
}

}  // namespace roentgen::model
