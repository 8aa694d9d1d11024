// Dense layers of the network, with and without what is fused around them, and matrix products.
#include <fmt/format.h>

#include "bench/kernel_rows.h"
#include "kernels/blocks.h"
#include "kernels/matmul.h"

namespace roentgen::bench {

namespace {

using kernels::LinearBlockShape;
using kernels::LinearShape;
using kernels::Master;
using kernels::MatmulShape;

struct Layer {
  const char* label;
  std::int64_t in, out;
  LinearShape shape(const Geometry& g) const { return {.rows = g.batch, .in = g.extent(in), .out = out}; }
};
constexpr Layer dense1 = {"dense1", 115200, 64}, dense2 = {"dense2", 64, 3},
                square = {"square1024", 1024, 1024};

std::string describe(const LinearShape& s) {
  return fmt::format("{}x{} * {}", s.rows, s.in, s.out);
}
double flops(const LinearShape& s) {
  return 2.0 * static_cast<double>(s.rows) * static_cast<double>(s.in) * static_cast<double>(s.out);
}

void add_plain(const KernelTable& table, const Layer& layer) {
  table.add("linear_forward", layer.label, [layer]<class T>(auto device, T, const Geometry& g) {
    const LinearShape s = layer.shape(g);
    return Case{.shape = describe(s),
                .flops = flops(s),
                .buffers = {input<T>(s.rows * s.in), input<T>(s.out * s.in), input<Master<T>>(s.out),
                            output<T>(s.rows * s.out)},
                .run = [=](const Memory& m) {
                  kernels::linear_forward(device, s, at<T>(m, 0), at<T>(m, 1), at<Master<T>>(m, 2),
                                          at<T>(m, 3));
                }};
  });
  table.add("linear_backward_data", layer.label, [layer]<class T>(auto device, T, const Geometry& g) {
    const LinearShape s = layer.shape(g);
    return Case{.shape = describe(s),
                .flops = flops(s),
                .buffers = {input<T>(s.rows * s.out), input<T>(s.out * s.in), output<T>(s.rows * s.in)},
                .run = [=](const Memory& m) {
                  kernels::linear_backward_data(device, s, at<T>(m, 0), at<T>(m, 1), at<T>(m, 2));
                }};
  });
  table.add("linear_backward_weights", layer.label, [layer]<class T>(auto device, T, const Geometry& g) {
    const LinearShape s = layer.shape(g);
    return Case{.shape = describe(s),
                .flops = flops(s),
                .buffers = {input<T>(s.rows * s.in), input<T>(s.rows * s.out),
                            output<Master<T>>(s.out * s.in), output<Master<T>>(s.out)},
                .run = [=](const Memory& m) {
                  kernels::linear_backward_weights(device, s, at<T>(m, 0), at<T>(m, 1), at<Master<T>>(m, 2),
                                                   at<Master<T>>(m, 3));
                }};
  });
}

LinearBlockShape block_shape(const Geometry& g) {
  return {.linear = dense1.shape(g), .rate = 0.4f, .key = {.purpose = kernels::Purpose::dropout}};
}

void add_block(const KernelTable& table) {
  table.add("linear_block_forward", dense1.label, []<class T>(auto device, T, const Geometry& g) {
    const LinearBlockShape s = block_shape(g);
    const LinearShape& l = s.linear;
    return Case{.shape = describe(l),
                .flops = flops(l),
                .buffers = {input<T>(l.rows * l.in), input<T>(l.out * l.in), input<Master<T>>(l.out),
                            output<T>(l.rows * l.out)},
                .run = [=](const Memory& m) {
                  kernels::linear_block_forward(device, s, at<T>(m, 0), at<T>(m, 1), at<Master<T>>(m, 2),
                                                at<T>(m, 3));
                }};
  });
  table.add("linear_block_backward", dense1.label, []<class T>(auto device, T, const Geometry& g) {
    const LinearBlockShape s = block_shape(g);
    const LinearShape& l = s.linear;
    return Case{
        .shape = describe(l),
        .flops = 2 * flops(l),
        .buffers = {input<T>(l.rows * l.in), input<T>(l.out * l.in), hidden<T>(l.rows * l.out),
                    input<T>(l.rows * l.out), output<T>(l.rows * l.in), output<Master<T>>(l.out * l.in),
                    output<Master<T>>(l.out)},
        .run =
            [=](const Memory& m) {
              kernels::linear_block_backward(device, s, at<T>(m, 0), at<T>(m, 1), at<T>(m, 2), at<T>(m, 3),
                                             at<T>(m, 4), at<Master<T>>(m, 5), at<Master<T>>(m, 6));
            },
        .prepare =
            [=](const Memory& m) {
              kernels::linear_block_forward(device, s, at<T>(m, 0), at<T>(m, 1), nullptr, at<T>(m, 2));
            }};
  });
}

void add_matmul(const KernelTable& table, const char* label, bool transpose_b) {
  table.add("matmul", label, [transpose_b]<class T>(auto device, T, const Geometry& g) {
    const std::int64_t n = g.batch > 1 ? g.extent(512) : g.extent(128);  // `reference` multiplies a small one
    const MatmulShape s{.m = n, .n = n, .k = n, .transpose_b = transpose_b};
    return Case{
        .shape = fmt::format("{0}x{0} * {0}x{0}{1}", n, transpose_b ? "^T" : ""),
        .flops = 2.0 * static_cast<double>(n * n * n),
        .buffers = {input<T>(n * n), input<T>(n * n), output<T>(n * n)},
        .run = [=](const Memory& m) { kernels::matmul(device, s, at<T>(m, 0), at<T>(m, 1), at<T>(m, 2)); }};
  });
}

}  // namespace

void add_dense_cases(const KernelTable& table) {
  add_block(table);
  for (const Layer& layer : {dense1, dense2, square}) add_plain(table, layer);
  add_matmul(table, "plain", false);
  add_matmul(table, "transposed", true);
}

}  // namespace roentgen::bench
