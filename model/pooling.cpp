#include <limits>
#include <nlohmann/json.hpp>

#include "engine/check.h"
#include "model/window.h"

namespace roentgen::model {
namespace {

engine::Pool2dOptions pool_options(const Window& rows, const Window& columns, const Padded& padded) {
  return {.kernel_h = rows.size,
          .kernel_w = columns.size,
          .stride_h = rows.stride,
          .stride_w = columns.stride,
          .pad_h = padded.pad_h,
          .pad_w = padded.pad_w};
}

// Elements of the image, not of its padding, in each window along one axis.
std::vector<double> counts(const Window& window, std::int64_t extent) {
  std::vector<double> result;
  for (std::int64_t i = 0; i < window.output(extent); ++i) {
    const std::int64_t first = i * window.stride - window.before(extent);
    const std::int64_t last = std::min(extent, first + window.size);
    result.push_back(static_cast<double>(last - std::max<std::int64_t>(0, first)));
  }
  return result;
}

// [1, oh, ow, 1]: the window's size over the part of it that lies in the image.
Tensor border_factors(const Tensor& x, const Window& rows, const Window& columns) {
  std::vector<double> factors;
  const std::vector<double> across = counts(columns, x.dim(2)), down = counts(rows, x.dim(1));
  for (const double h : down) {
    for (const double w : across) {
      factors.push_back(static_cast<double>(rows.size * columns.size) / (h * w));
    }
  }
  const Shape shape{1, static_cast<std::int64_t>(down.size()), static_cast<std::int64_t>(across.size()), 1};
  if (x.dtype() == engine::DType::float64) return Tensor::from(factors, shape, x.device());
  const std::vector<float> lowered(factors.begin(), factors.end());
  return engine::cast(Tensor::from(lowered, shape, x.device()), x.dtype());
}

}  // namespace

Pooling2D::Pooling2D(Extent2D pool, const Pooling2DOptions& options)
    : pool_(pool),
      strides_(options.strides == Extent2D(0) ? pool : options.strides),
      padding_(options.padding) {
  for (const std::int64_t extent : {pool_.h, pool_.w, strides_.h, strides_.w}) {
    engine::require(extent >= 1 && extent <= 1 << 12, "pooling: window and strides are 1 to 4096, not {}",
                    extent);
  }
}

Window Pooling2D::rows() const {
  return {.size = pool_.h, .stride = strides_.h, .padding = padding_};
}

Window Pooling2D::columns() const {
  return {.size = pool_.w, .stride = strides_.w, .padding = padding_};
}

Shape Pooling2D::output_shape(const Shape& input) const {
  engine::require(input.size() == 3, "{} {}: takes images [h, w, c], not {}", kind(), full_name(),
                  engine::to_string(input));
  const std::int64_t h = rows().output(input[0]), w = columns().output(input[1]);
  engine::require(h >= 1 && w >= 1,
                  "{} {}: a window of {}x{} does not fit into {}; take larger images or fewer layers", kind(),
                  full_name(), pool_.h, pool_.w, engine::to_string(input));
  return {h, w, input[2]};
}

std::int64_t Pooling2D::tile() const {
  const bool side_by_side = pool_.h == pool_.w && strides_ == pool_ && padding_ == Padding::valid;
  return side_by_side ? pool_.h : 0;
}

nlohmann::json Pooling2D::config() const {
  return {{"kind", kind()},
          {"pool", {pool_.h, pool_.w}},
          {"strides", {strides_.h, strides_.w}},
          {"padding", to_string(padding_)}};
}

Tensor MaxPooling2D::forward(const Tensor& x, const Context&) const {
  const Padded padded = pad_for(x, rows(), columns(), -std::numeric_limits<double>::infinity());
  return engine::max_pool2d(padded.x, pool_options(rows(), columns(), padded));
}

Tensor AveragePooling2D::forward(const Tensor& x, const Context&) const {
  const Padded padded = pad_for(x, rows(), columns(), 0);
  const Tensor y = engine::avg_pool2d(padded.x, pool_options(rows(), columns(), padded));
  // The op leaves its own padding out of the average, but cannot tell padding added to x.
  return padded.x.same_memory(x) ? y : engine::mul(y, border_factors(x, rows(), columns()));
}

Shape GlobalAveragePooling2D::output_shape(const Shape& input) const {
  engine::require(input.size() == 3, "GlobalAveragePooling2D {}: takes images [h, w, c], not {}", full_name(),
                  engine::to_string(input));
  return {input[2]};
}

Tensor GlobalAveragePooling2D::forward(const Tensor& x, const Context&) const {
  return engine::global_avg_pool2d(x);
}

nlohmann::json GlobalAveragePooling2D::config() const {
  return {{"kind", kind()}};
}

}  // namespace roentgen::model
