// Elementwise kernels, reductions and copies, at the size of the network's first feature map.
#include <fmt/format.h>

#include "bench/kernel_rows.h"
#include "kernels/binary.h"
#include "kernels/elementwise.h"
#include "kernels/random.h"
#include "kernels/reduce.h"
#include "kernels/strided.h"

namespace roentgen::bench {

namespace {

using kernels::bfloat16;

constexpr const char* label = "map1";  // [n, 127, 127, 32]
constexpr std::int64_t channels = 32;

std::int64_t side(const Geometry& g) {
  return g.extent(127);
}
std::int64_t elements(const Geometry& g) {
  return g.batch * side(g) * side(g) * channels;
}

// y = f(x).
template <class F>
void add_unary(const KernelTable& table, const char* kernel, F f) {
  table.add(kernel, label, [f]<class T>(auto device, T, const Geometry& g) {
    const std::int64_t n = elements(g);
    return Case{.shape = fmt::format("{}", n),
                .buffers = {input<T>(n), output<T>(n)},
                .run = [=](const Memory& m) { f(device, at<T>(m, 0), at<T>(m, 1), n); }};
  });
}

// dx = f(x or y, dy).
template <class F>
void add_unary_backward(const KernelTable& table, const char* kernel, F f) {
  table.add(kernel, label, [f]<class T>(auto device, T, const Geometry& g) {
    const std::int64_t n = elements(g);
    return Case{.shape = fmt::format("{}", n),
                .buffers = {input<T>(n), input<T>(n), output<T>(n)},
                .run = [=](const Memory& m) { f(device, at<T>(m, 0), at<T>(m, 1), at<T>(m, 2), n); }};
  });
}

template <class F>
void add_binary(const KernelTable& table, const char* kernel, const char* row_label, bool broadcast, F f) {
  table.add(kernel, row_label, [=]<class T>(auto device, T, const Geometry& g) {
    const std::int64_t n = elements(g), rows = n / channels, n_b = broadcast ? channels : n;
    kernels::Broadcast s{.rank = 2};
    s.dims[0] = rows, s.dims[1] = channels;
    s.a_strides[0] = channels, s.a_strides[1] = 1;
    s.b_strides[0] = broadcast ? 0 : channels, s.b_strides[1] = 1;
    return Case{.shape = fmt::format("{0}x{1} with {2}x{1}", rows, channels, broadcast ? 1 : rows),
                .buffers = {input<T>(n), input<T>(n_b), output<T>(n)},
                .run = [=](const Memory& m) { f(device, at<T>(m, 0), at<T>(m, 1), at<T>(m, 2), s); }};
  });
}

// Over all rows (a bias' gradient) or all channels.
kernels::Reduction reduction(const Geometry& g, bool over_rows) {
  const std::int64_t rows = elements(g) / channels;
  kernels::Reduction r{.kept_rank = 1, .reduced_rank = 1};
  r.kept[0] = over_rows ? channels : rows, r.kept_strides[0] = over_rows ? 1 : channels;
  r.reduced[0] = over_rows ? rows : channels, r.reduced_strides[0] = over_rows ? channels : 1;
  return r;
}

void add_reductions(const KernelTable& table, const char* row_label, bool over_rows) {
  table.add("sum", row_label, [=]<class T>(auto device, T, const Geometry& g) {
    const kernels::Reduction r = reduction(g, over_rows);
    return Case{.shape = fmt::format("{} of {}", r.kept[0], r.reduced[0]),
                .buffers = {input<T>(elements(g)), output<T>(r.kept[0])},
                .run = [=](const Memory& m) { kernels::sum(device, at<T>(m, 0), at<T>(m, 1), r, 1.0); }};
  });
  table.add("max_forward", row_label, [=]<class T>(auto device, T, const Geometry& g) {
    const kernels::Reduction r = reduction(g, over_rows);
    return Case{.shape = fmt::format("{} of {}", r.kept[0], r.reduced[0]),
                .buffers = {input<T>(elements(g)), output<T>(r.kept[0]), output<std::int64_t>(r.kept[0])},
                .run = [=](const Memory& m) {
                  kernels::max_forward(device, at<T>(m, 0), at<T>(m, 1), at<std::int64_t>(m, 2), r);
                }};
  });
}

void add_copies(const KernelTable& table) {
  table.add("strided_copy", "transpose", [](auto device, auto zero, const Geometry& g) {
    using T = decltype(zero);
    const std::int64_t n = elements(g), rows = n / channels;
    kernels::StridedCopy s{.rank = 2};
    s.dims[0] = rows, s.dims[1] = channels;
    s.x_strides[0] = channels, s.x_strides[1] = 1;
    s.y_strides[0] = 1, s.y_strides[1] = rows;
    return Case{.shape = fmt::format("{}x{}", rows, channels),
                .buffers = {input<T>(n), output<T>(n)},
                .run = [=](const Memory& m) { kernels::strided_copy(device, at<T>(m, 0), at<T>(m, 1), s); }};
  });
  table.add("fill", label, []<class T>(auto device, T, const Geometry& g) {
    const std::int64_t n = elements(g);
    return Case{.shape = fmt::format("{}", n), .buffers = {output<T>(n)}, .run = [=](const Memory& m) {
                  kernels::fill(device, at<T>(m, 0), n, 1.0);
                }};
  });
  table.add("accumulate", label, []<class T>(auto device, T, const Geometry& g) {
    const std::int64_t n = elements(g);
    return Case{.shape = fmt::format("{}", n),
                .buffers = {input<T>(n), updated<T>(n)},
                .run = [=](const Memory& m) { kernels::accumulate(device, at<T>(m, 0), at<T>(m, 1), n); }};
  });
  table.add_float32("cast", "to_bfloat16", [](auto device, float, const Geometry& g) {
    const std::int64_t n = elements(g);
    return Case{
        .shape = fmt::format("{}", n),
        .buffers = {input<float>(n), output<bfloat16>(n)},
        .run = [=](const Memory& m) { kernels::cast(device, at<float>(m, 0), at<bfloat16>(m, 1), n); }};
  });
  table.add_float32("cast", "from_bfloat16", [](auto device, float, const Geometry& g) {
    const std::int64_t n = elements(g);
    return Case{
        .shape = fmt::format("{}", n),
        .buffers = {input<bfloat16>(n), output<float>(n)},
        .run = [=](const Memory& m) { kernels::cast(device, at<bfloat16>(m, 0), at<float>(m, 1), n); }};
  });
}

}  // namespace

void add_elementwise_cases(const KernelTable& table) {
  const kernels::RandomKey key{.purpose = kernels::Purpose::dropout};
  add_unary(table, "dropout",
            [key](auto d, auto* x, auto* y, auto n) { kernels::dropout(d, x, y, n, 0.25f, key); });
  add_unary(table, "relu_forward",
            [](auto d, auto* x, auto* y, auto n) { kernels::relu_forward(d, x, y, n); });
  add_unary(table, "leaky_relu_forward",
            [](auto d, auto* x, auto* y, auto n) { kernels::leaky_relu_forward(d, x, y, n, 0.01); });
  add_unary(table, "sigmoid_forward",
            [](auto d, auto* x, auto* y, auto n) { kernels::sigmoid_forward(d, x, y, n); });
  add_unary(table, "tanh_forward",
            [](auto d, auto* x, auto* y, auto n) { kernels::tanh_forward(d, x, y, n); });
  add_unary(table, "gelu_forward",
            [](auto d, auto* x, auto* y, auto n) { kernels::gelu_forward(d, x, y, n); });
  add_unary(table, "scale", [](auto d, auto* x, auto* y, auto n) { kernels::scale(d, x, y, n, 0.5); });
  add_unary(table, "clamp", [](auto d, auto* x, auto* y, auto n) { kernels::clamp(d, x, y, n, -0.5, 0.5); });
  add_unary_backward(table, "relu_backward", [](auto d, auto* y, auto* dy, auto* dx, auto n) {
    kernels::relu_backward(d, y, dy, dx, n);
  });
  add_unary_backward(table, "leaky_relu_backward", [](auto d, auto* x, auto* dy, auto* dx, auto n) {
    kernels::leaky_relu_backward(d, x, dy, dx, n, 0.01);
  });
  add_unary_backward(table, "sigmoid_backward", [](auto d, auto* y, auto* dy, auto* dx, auto n) {
    kernels::sigmoid_backward(d, y, dy, dx, n);
  });
  add_unary_backward(table, "tanh_backward", [](auto d, auto* y, auto* dy, auto* dx, auto n) {
    kernels::tanh_backward(d, y, dy, dx, n);
  });
  add_unary_backward(table, "gelu_backward", [](auto d, auto* x, auto* dy, auto* dx, auto n) {
    kernels::gelu_backward(d, x, dy, dx, n);
  });
  add_binary(table, "add", "same_shape", false,
             [](auto d, auto* a, auto* b, auto* y, const auto& s) { kernels::add(d, a, b, y, s); });
  add_binary(table, "add", "broadcast", true,
             [](auto d, auto* a, auto* b, auto* y, const auto& s) { kernels::add(d, a, b, y, s); });
  add_binary(table, "mul", "same_shape", false,
             [](auto d, auto* a, auto* b, auto* y, const auto& s) { kernels::mul(d, a, b, y, s); });
  add_binary(table, "div", "same_shape", false,
             [](auto d, auto* a, auto* b, auto* y, const auto& s) { kernels::div(d, a, b, y, s); });
  add_reductions(table, "over_rows", true);
  add_reductions(table, "over_channels", false);
  add_copies(table);
}

}  // namespace roentgen::bench
