#include <nlohmann/json.hpp>

#include "engine/check.h"
#include "model/window.h"

namespace roentgen::model {
namespace {

Window rows(const Extent2D& kernel, const Conv2DOptions& o) {
  return {kernel.h, o.strides.h, o.dilation.h, o.padding};
}
Window columns(const Extent2D& kernel, const Conv2DOptions& o) {
  return {kernel.w, o.strides.w, o.dilation.w, o.padding};
}

}  // namespace

Conv2D::Conv2D(std::int64_t filters, Extent2D kernel, const Conv2DOptions& options)
    : filters_(filters), kernel_(kernel), options_(options) {
  engine::require(filters >= 1 && filters <= 1 << 20, "Conv2D: takes 1 to 1048576 filters, not {}", filters);
  for (const std::int64_t extent :
       {kernel.h, kernel.w, options.strides.h, options.strides.w, options.dilation.h, options.dilation.w}) {
    engine::require(extent >= 1 && extent <= 1 << 12,
                    "Conv2D: kernel, strides and dilation are 1 to 4096, not {}", extent);
  }
}

Shape Conv2D::output_shape(const Shape& input) const {
  engine::require(input.size() == 3, "Conv2D {}: takes images [h, w, c], not {}", full_name(),
                  engine::to_string(input));
  const std::int64_t h = rows(kernel_, options_).output(input[0]);
  const std::int64_t w = columns(kernel_, options_).output(input[1]);
  engine::require(h >= 1 && w >= 1, "Conv2D {}: a kernel of {}x{} does not fit into {}; take larger images",
                  full_name(), kernel_.h, kernel_.w, engine::to_string(input));
  return {h, w, filters_};
}

std::vector<ParameterSpec> Conv2D::parameters(const Shape& input) const {
  std::vector<ParameterSpec> specs{
      {"weight", {filters_, kernel_.h, kernel_.w, input.at(2)}, options_.initializer}};
  if (options_.use_bias) specs.push_back({"bias", {filters_}});
  return specs;
}

void Conv2D::bind(std::span<const Tensor>& tensors) {
  weight_ = take(tensors);
  bias_ = options_.use_bias ? take(tensors) : Tensor();
}

Tensor Conv2D::convolve(const Tensor& x) const {
  const Padded p = pad_for(x, rows(kernel_, options_), columns(kernel_, options_), 0);
  return engine::conv2d(p.x, weight_, bias_,
                        {.stride_h = options_.strides.h,
                         .stride_w = options_.strides.w,
                         .pad_h = p.pad_h,
                         .pad_w = p.pad_w,
                         .dilation_h = options_.dilation.h,
                         .dilation_w = options_.dilation.w});
}

Tensor Conv2D::forward(const Tensor& x, const Context&) const {
  return apply(options_.activation, convolve(x));
}

Tensor Conv2D::logits(const Tensor& x, const Context& context) const {
  return ends_in_softmax() ? convolve(x) : forward(x, context);
}

Tensor Conv2D::forward_block(const Tensor& x, std::int64_t pool, double rate,
                             const engine::RandomKey& key) const {
  const Padded p = pad_for(x, rows(kernel_, options_), columns(kernel_, options_), 0);
  return engine::conv_block(p.x, weight_, bias_,
                            {.conv = {.stride_h = options_.strides.h,
                                      .stride_w = options_.strides.w,
                                      .pad_h = p.pad_h,
                                      .pad_w = p.pad_w,
                                      .dilation_h = options_.dilation.h,
                                      .dilation_w = options_.dilation.w},
                             .pool = pool,
                             .rate = rate,
                             .key = key});
}

nlohmann::json Conv2D::config() const {
  return {{"kind", kind()},
          {"filters", filters_},
          {"kernel", {kernel_.h, kernel_.w}},
          {"activation", to_string(options_.activation)},
          {"strides", {options_.strides.h, options_.strides.w}},
          {"padding", to_string(options_.padding)},
          {"dilation", {options_.dilation.h, options_.dilation.w}},
          {"use_bias", options_.use_bias},
          {"initializer", to_string(options_.initializer)}};
}

}  // namespace roentgen::model
