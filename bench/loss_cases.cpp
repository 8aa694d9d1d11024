// Softmax, cross-entropy and optimisers.
#include <fmt/format.h>

#include "bench/kernel_rows.h"
#include "kernels/optimizer.h"
#include "kernels/softmax.h"

namespace roentgen::bench {

namespace {

using kernels::CrossEntropyShape;
using kernels::Master;

struct Logits {
  const char* label;
  std::int64_t rows_per_image, c;
};
constexpr Logits logits[] = {{"network", 1, 3}, {"imagenet", 16, 1000}};

void add_softmax(const KernelTable& table, const Logits& l) {
  table.add("softmax_forward", l.label, [l]<class T>(auto device, T, const Geometry& g) {
    const std::int64_t rows = l.rows_per_image * g.batch;
    return Case{.shape = fmt::format("{}x{}", rows, l.c),
                .buffers = {input<T>(rows * l.c), output<T>(rows * l.c)},
                .run = [=](const Memory& m) {
                  kernels::softmax_forward(device, at<T>(m, 0), at<T>(m, 1), rows, l.c);
                }};
  });
  table.add("softmax_backward", l.label, [l]<class T>(auto device, T, const Geometry& g) {
    const std::int64_t rows = l.rows_per_image * g.batch;
    return Case{.shape = fmt::format("{}x{}", rows, l.c),
                .buffers = {input<T>(rows * l.c), input<T>(rows * l.c), output<T>(rows * l.c)},
                .run = [=](const Memory& m) {
                  kernels::softmax_backward(device, at<T>(m, 0), at<T>(m, 1), at<T>(m, 2), rows, l.c);
                }};
  });
}

void add_cross_entropy(const KernelTable& table, const Logits& l) {
  table.add("cross_entropy_forward", l.label, [l]<class T>(auto device, T, const Geometry& g) {
    const CrossEntropyShape s{.rows = l.rows_per_image * g.batch, .c = l.c};
    return Case{.shape = fmt::format("{}x{}", s.rows, s.c),
                .buffers = {input<T>(s.rows * s.c), labels(s.rows, s.c), output<Master<T>>(1),
                            output<Master<T>>(s.rows * s.c)},
                .run = [=](const Memory& m) {
                  kernels::cross_entropy_forward(device, s, at<T>(m, 0), at<std::int32_t>(m, 1), nullptr,
                                                 at<Master<T>>(m, 2), at<Master<T>>(m, 3));
                }};
  });
  table.add("cross_entropy_backward", l.label, [l]<class T>(auto device, T, const Geometry& g) {
    const CrossEntropyShape s{.rows = l.rows_per_image * g.batch, .c = l.c};
    return Case{.shape = fmt::format("{}x{}", s.rows, s.c),
                .buffers = {input<Master<T>>(s.rows * s.c), labels(s.rows, s.c), input<Master<T>>(1),
                            output<T>(s.rows * s.c)},
                .run = [=](const Memory& m) {
                  kernels::cross_entropy_backward<T>(device, s, at<Master<T>>(m, 0), at<std::int32_t>(m, 1),
                                                     nullptr, at<Master<T>>(m, 2), at<T>(m, 3));
                }};
  });
}

// The network's 7,466,307 parameters; `lowered`: with the bfloat16 copy of the weights.
void add_optimizers(const KernelTable& table, const char* label, bool lowered) {
  const auto parameters = [](const Geometry& g) {
    return g.batch > 1 ? g.extent(7466307) : g.extent(65536);  // fewer for `reference`
  };
  table.add_float32("adam", label, [=](auto device, float, const Geometry& g) {
    const std::int64_t n = parameters(g);
    return Case{
        .shape = fmt::format("{}", n),
        .buffers = {input<float>(n), updated<float>(n), updated<float>(n),
                    updated<float>(n, Buffer::Content::positive), output<kernels::bfloat16>(lowered ? n : 0)},
        .run = [=](const Memory& m) {
          kernels::adam_step(device, {}, at<float>(m, 0), at<float>(m, 1), at<float>(m, 2), at<float>(m, 3),
                             lowered ? at<kernels::bfloat16>(m, 4) : nullptr, n);
        }};
  });
  table.add_float32("sgd", label, [=](auto device, float, const Geometry& g) {
    const std::int64_t n = parameters(g);
    return Case{.shape = fmt::format("{}, momentum", n),
                .buffers = {input<float>(n), updated<float>(n), updated<float>(n),
                            output<kernels::bfloat16>(lowered ? n : 0)},
                .run = [=](const Memory& m) {
                  kernels::sgd_step(device, {.momentum = 0.9}, at<float>(m, 0), at<float>(m, 1),
                                    at<float>(m, 2), lowered ? at<kernels::bfloat16>(m, 3) : nullptr, n);
                }};
  });
}

}  // namespace

void add_loss_cases(const KernelTable& table) {
  for (const Logits& l : logits) {
    add_softmax(table, l);
    add_cross_entropy(table, l);
  }
  add_optimizers(table, "network", false);
  add_optimizers(table, "network_bfloat16", true);
}

}  // namespace roentgen::bench
