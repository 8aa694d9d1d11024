// Cases of convolution, pooling, their fused blocks and augmentation.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "kernels/augment.h"
#include "tests/engine/op_table.h"

namespace roentgen::tests {
namespace {

using Inputs = std::vector<Tensor>;

struct Conv {
  Shape x;
  std::int64_t k, r, s;
  engine::Conv2dOptions options;
  bool bias = true;
};

// Single, empty, primes, strides, padding, dilation, different along both axes, a partial batch of 11, the
// recipe's channels, more than one block.
const std::vector<Conv> convolutions = {
    {{1, 1, 1, 1}, 1, 1, 1, {}},
    {{2, 5, 5, 3}, 4, 3, 3, {}},
    {{2, 5, 4, 2}, 3, 3, 2, {}, false},
    {{2, 7, 7, 2}, 3, 3, 3, {.stride_h = 2, .stride_w = 2}},
    {{1, 7, 5, 3}, 2, 3, 3, {.pad_h = 1, .pad_w = 1}},
    {{1, 7, 7, 2}, 2, 3, 3, {.dilation_h = 2, .dilation_w = 2}},
    {{1, 9, 8, 2},
     3,
     3,
     2,
     {.stride_h = 2, .stride_w = 3, .pad_h = 2, .pad_w = 1, .dilation_h = 1, .dilation_w = 2}},
    {{2, 4, 3, 5}, 7, 1, 1, {}},
    {{1, 7, 13, 2}, 3, 1, 3, {.pad_w = 1}},
    {{1, 13, 7, 1}, 2, 5, 1, {.pad_h = 2}},
    {{0, 5, 5, 3}, 2, 3, 3, {}},
    {{11, 4, 4, 2}, 3, 3, 3, {.pad_h = 1, .pad_w = 1}},
    {{2, 31, 13, 7}, 13, 3, 3, {}},
    {{1, 14, 14, 4}, 8, 5, 5, {.stride_h = 2, .stride_w = 2, .pad_h = 2, .pad_w = 2}},
    {{2, 34, 33, 16}, 32, 3, 3, {}},
    {{2, 66, 65, 3}, 32, 3, 3, {}}};

std::string note_of(const engine::Conv2dOptions& o) {
  return fmt::format("stride {}x{} pad {}x{} dilation {}x{}", o.stride_h, o.stride_w, o.pad_h, o.pad_w,
                     o.dilation_h, o.dilation_w);
}

std::vector<Input> inputs_of(const Conv& c) {
  std::vector<Input> inputs = {{c.x}, weights({c.k, c.r, c.s, c.x[3]})};
  if (c.bias) inputs.push_back(weights({c.k}));
  return inputs;
}

// The weight gradient sums over all output pixels, the others over filters.
std::int64_t terms_of(const Conv& c) {
  return std::max({c.x[0] * c.x[1] * c.x[2], c.r * c.s * c.x[3], c.r * c.s * c.k});
}

void add_convolutions(CaseList& cases) {
  for (const Conv& c : convolutions) {
    cases.add(
        "conv2d", inputs_of(c),
        [options = c.options](const Inputs& x) {
          return engine::conv2d(x[0], x[1], x.size() > 2 ? x[2] : Tensor{}, options);
        },
        terms_of(c), note_of(c.options));
  }
  for (std::size_t i = 0; i < convolutions.size(); ++i) {
    const Conv& c = convolutions[i];
    for (const double rate : {0.0, 0.25}) {
      // Small outputs take no pooling; the others windows of 1, 2 and 3 in turn.
      const std::int64_t out =
          std::min(
              (c.x[1] + 2 * c.options.pad_h - c.options.dilation_h * (c.r - 1) - 1) / c.options.stride_h,
              (c.x[2] + 2 * c.options.pad_w - c.options.dilation_w * (c.s - 1) - 1) / c.options.stride_w) +
          1;
      const std::int64_t pool = std::min<std::int64_t>(out, i % 4 == 0 ? 1 : i % 4 == 3 ? 3 : 2);
      engine::ConvBlockOptions options{.conv = c.options, .pool = pool, .rate = rate};
      options.key = {.seed = i, .purpose = kernels::Purpose::dropout, .stream = 2, .step = 1};
      OpCase& block = cases.add(
          "conv_block", inputs_of(c),
          [options](const Inputs& x) {
            return engine::conv_block(x[0], x[1], x.size() > 2 ? x[2] : Tensor{}, options);
          },
          terms_of(c), fmt::format("{} pool {} rate {}", note_of(c.options), pool, rate));
      block.branches = true;
    }
  }
}

void add_pooling(CaseList& cases) {
  struct Pool {
    Shape x;
    engine::Pool2dOptions options;
  };
  const std::vector<Pool> pools = {
      {{1, 1, 1, 1}, {.kernel_h = 1, .kernel_w = 1, .stride_h = 1, .stride_w = 1}},
      {{2, 4, 4, 3}, {}},
      {{1, 7, 5, 2}, {}},
      {{0, 4, 4, 2}, {}},
      {{2, 7, 7, 1}, {.kernel_h = 3, .kernel_w = 3}},
      {{1, 7, 7, 3}, {.kernel_h = 3, .kernel_w = 3, .stride_h = 1, .stride_w = 1}},
      {{1, 6, 5, 2}, {.kernel_h = 3, .kernel_w = 3, .pad_h = 1, .pad_w = 1}},
      {{1, 13, 7, 1}, {.kernel_h = 3, .kernel_w = 2, .stride_h = 3, .stride_w = 1, .pad_h = 2, .pad_w = 1}},
      {{11, 4, 3, 2}, {.kernel_h = 2, .kernel_w = 1, .stride_h = 2, .stride_w = 1}},
      {{1, 5, 5, 7}, {.kernel_h = 5, .kernel_w = 5}},
      {{1, 31, 1, 2}, {.kernel_h = 2, .kernel_w = 1, .stride_h = 2, .stride_w = 1}},
      {{2, 31, 13, 7}, {.kernel_h = 3, .kernel_w = 3, .pad_h = 1, .pad_w = 1}},
      {{3, 64, 65, 16}, {}}};
  for (const Pool& p : pools) {
    const auto& o = p.options;
    const std::string note = fmt::format("kernel {}x{} stride {}x{} pad {}x{}", o.kernel_h, o.kernel_w,
                                         o.stride_h, o.stride_w, o.pad_h, o.pad_w);
    const std::int64_t window = o.kernel_h * o.kernel_w;
    cases.add(
        "max_pool2d", {{p.x, Sample::distinct}}, [o](const Inputs& x) { return engine::max_pool2d(x[0], o); },
        window, note);
    cases.add(
        "avg_pool2d", {{p.x}}, [o](const Inputs& x) { return engine::avg_pool2d(x[0], o); }, window, note);
    cases.add(
        "global_avg_pool2d", {{p.x}}, [](const Inputs& x) { return engine::global_avg_pool2d(x[0]); },
        p.x[1] * p.x[2], note);
  }
  const engine::Pool2dOptions dilated{
      .kernel_h = 3, .kernel_w = 2, .stride_h = 1, .stride_w = 2, .dilation_h = 2, .dilation_w = 3};
  cases.add(
      "max_pool2d", {{{2, 7, 7, 2}, Sample::distinct}},
      [dilated](const Inputs& x) { return engine::max_pool2d(x[0], dilated); }, 6, "dilation 2x3");
}

// A map of its own for each image: turned, sheared, zoomed, every other one mirrored.
Tensor maps_for(const Shape& images, const Device& device) {
  std::vector<std::uint8_t> bytes(static_cast<std::size_t>(images[0]) * sizeof(kernels::Affine));
  for (std::int64_t i = 0; i < images[0]; ++i) {
    const double turn = static_cast<double>(i);
    const kernels::Affine map = kernels::keras_affine(7 - 3 * turn, 0.7 * turn, -1.3, 0.2, 1.1,
                                                      0.9 + 0.01 * turn, i % 2 == 1, images[1], images[2]);
    std::memcpy(bytes.data() + static_cast<std::size_t>(i) * sizeof map, &map, sizeof map);
  }
  const auto count = static_cast<std::int64_t>(bytes.size());
  return Tensor::from(bytes, {count}, device);
}

void add_augment(CaseList& cases) {
  for (const Shape& shape : std::vector<Shape>{{1, 1, 1, 1},
                                               {0, 4, 4, 3},
                                               {1, 7, 13, 3},
                                               {2, 13, 7, 1},
                                               {11, 8, 8, 3},
                                               {3, 31, 31, 1},
                                               {2, 64, 65, 3}}) {
    for (const bool mapped : {false, true}) {
      OpCase& augment = cases.add(
          "augment", {{shape, Sample::signed_, Kind::bytes}},
          [=](const Inputs& x) {
            const Tensor maps = mapped ? maps_for(shape, x[0].device()) : Tensor{};
            return engine::augment(x[0], maps, DType::float32);
          },
          1, mapped ? "mapped" : "scaled");
      augment.differentiable = false;
      augment.absolute_error = mapped ? 1.0 / 255 : 0;  // one grey level: coordinates are rounded to float
    }
  }
}

}  // namespace

void add_image_cases(CaseList& cases) {
  add_convolutions(cases);
  add_pooling(cases);
  add_augment(cases);
}

}  // namespace roentgen::tests
