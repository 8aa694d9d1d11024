// Convolutions and their fused blocks: the network's three layers and shapes of other networks.
#include <fmt/format.h>

#include "bench/kernel_rows.h"
#include "kernels/blocks.h"
#include "kernels/conv2d.h"

namespace roentgen::bench {

namespace {

using kernels::Conv2dShape;
using kernels::ConvBlockShape;
using kernels::Master;

struct Layer {
  const char* label;
  std::int64_t side, c, k, kernel = 3, stride = 1, pad = 0;
  float rate = 0.25f;
  bool first = false;  // its data gradient is never wanted

  Conv2dShape shape(const Geometry& g) const {
    return {.n = g.batch,
            .h = g.extent(side),
            .w = g.extent(side),
            .c = c,
            .k = k,
            .r = kernel,
            .s = kernel,
            .stride_h = stride,
            .stride_w = stride,
            .pad_h = pad,
            .pad_w = pad};
  }
};

constexpr Layer network[] = {
    {.label = "conv1", .side = 256, .c = 3, .k = 32, .rate = 0.23f, .first = true},
    {.label = "conv2", .side = 127, .c = 32, .k = 64},
    {.label = "conv3", .side = 62, .c = 64, .k = 128},
};
constexpr Layer others[] = {
    {.label = "resnet_7x7s2",
     .side = 224,
     .c = 3,
     .k = 64,
     .kernel = 7,
     .stride = 2,
     .pad = 3,
     .first = true},
    {.label = "resnet_3x3p1", .side = 56, .c = 64, .k = 64, .pad = 1},
    {.label = "resnet_1x1s2", .side = 56, .c = 64, .k = 128, .kernel = 1, .stride = 2},
};

struct Sizes {
  std::int64_t x, filters, y;
  explicit Sizes(const Conv2dShape& s)
      : x(s.n * s.h * s.w * s.c), filters(s.k * s.r * s.s * s.c), y(s.n * s.out_h() * s.out_w() * s.k) {}
};

std::string describe(const Conv2dShape& s) {
  return fmt::format("{}x{}x{}x{} * {}x{}x{}", s.n, s.h, s.w, s.c, s.k, s.r, s.s);
}

// Of any one of the three passes.
double flops(const Conv2dShape& s) {
  return 2.0 * static_cast<double>(Sizes(s).y) * static_cast<double>(s.r * s.s * s.c);
}

void add_plain(const KernelTable& table, const Layer& layer) {
  table.add_convolution("conv2d_forward", layer.label, [layer]<class T>(auto device, T, const Geometry& g) {
    const Conv2dShape s = layer.shape(g);
    const Sizes n(s);
    return Case{.shape = describe(s),
                .flops = flops(s),
                .buffers = {input<T>(n.x), input<T>(n.filters), input<Master<T>>(s.k), output<T>(n.y)},
                .run = [=](const Memory& m) {
                  kernels::conv2d_forward(device, s, at<T>(m, 0), at<T>(m, 1), at<Master<T>>(m, 2),
                                          at<T>(m, 3));
                }};
  });
  if (!layer.first) {
    table.add_convolution(
        "conv2d_backward_data", layer.label, [layer]<class T>(auto device, T, const Geometry& g) {
          const Conv2dShape s = layer.shape(g);
          const Sizes n(s);
          return Case{.shape = describe(s),
                      .flops = flops(s),
                      .buffers = {input<T>(n.y), input<T>(n.filters), output<T>(n.x)},
                      .run = [=](const Memory& m) {
                        kernels::conv2d_backward_data(device, s, at<T>(m, 0), at<T>(m, 1), at<T>(m, 2));
                      }};
        });
  }
  table.add_convolution(
      "conv2d_backward_weights", layer.label, [layer]<class T>(auto device, T, const Geometry& g) {
        const Conv2dShape s = layer.shape(g);
        const Sizes n(s);
        return Case{
            .shape = describe(s),
            .flops = flops(s),
            .buffers = {input<T>(n.x), input<T>(n.y), output<Master<T>>(n.filters), output<Master<T>>(s.k)},
            .run = [=](const Memory& m) {
              kernels::conv2d_backward_weights(device, s, at<T>(m, 0), at<T>(m, 1), at<Master<T>>(m, 2),
                                               at<Master<T>>(m, 3));
            }};
      });
}

ConvBlockShape block_shape(const Layer& layer, const Geometry& g) {
  return {
      .conv = layer.shape(g), .pool = 2, .rate = layer.rate, .key = {.purpose = kernels::Purpose::dropout}};
}

void add_block(const KernelTable& table, const Layer& layer) {
  table.add_convolution(
      "conv_block_forward", layer.label, [layer]<class T>(auto device, T, const Geometry& g) {
        const ConvBlockShape s = block_shape(layer, g);
        const Sizes n(s.conv);
        const std::int64_t pooled = g.batch * s.out_h() * s.out_w() * s.conv.k;
        return Case{.shape = describe(s.conv) + ", pool 2",
                    .flops = flops(s.conv),
                    .buffers = {input<T>(n.x), input<T>(n.filters), input<Master<T>>(s.conv.k),
                                output<T>(pooled), hidden(kernels::conv_block_mask_bytes(device, s))},
                    .run = [=](const Memory& m) {
                      kernels::conv_block_forward(device, s, at<T>(m, 0), at<T>(m, 1), at<Master<T>>(m, 2),
                                                  at<T>(m, 3), at<std::uint8_t>(m, 4));
                    }};
      });
  table.add_convolution(
      "conv_block_backward", layer.label, [layer]<class T>(auto device, T, const Geometry& g) {
        const ConvBlockShape s = block_shape(layer, g);
        const Sizes n(s.conv);
        const std::int64_t pooled = g.batch * s.out_h() * s.out_w() * s.conv.k;
        Case c{.shape = describe(s.conv) + ", pool 2",
               .flops = flops(s.conv) * (layer.first ? 1 : 2),
               .buffers = {input<T>(n.x), input<T>(n.filters), input<T>(pooled),
                           hidden(kernels::conv_block_mask_bytes(device, s)), output<Master<T>>(n.filters),
                           output<Master<T>>(s.conv.k)}};
        if (!layer.first) c.buffers.push_back(output<T>(n.x));
        c.prepare = [=](const Memory& m) {
          const Tensor y({pooled}, engine::dtype_of<T>(), device);
          kernels::conv_block_forward(device, s, at<T>(m, 0), at<T>(m, 1), nullptr, y.template data<T>(),
                                      at<std::uint8_t>(m, 3));
        };
        c.run = [=](const Memory& m) {
          kernels::conv_block_backward(device, s, at<T>(m, 0), at<T>(m, 1), at<std::uint8_t>(m, 3),
                                       at<T>(m, 2), layer.first ? nullptr : at<T>(m, 6), at<Master<T>>(m, 4),
                                       at<Master<T>>(m, 5));
        };
        return c;
      });
}

}  // namespace

void add_conv_cases(const KernelTable& table) {
  for (const Layer& layer : network) add_block(table, layer);
  for (const Layer& layer : network) add_plain(table, layer);
  for (const Layer& layer : others) add_plain(table, layer);
}

}  // namespace roentgen::bench
