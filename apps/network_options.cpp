#include "apps/network_options.h"

#include <fmt/format.h>

#include <map>
#include <stdexcept>

#include "apps/errors.h"
#include "engine/device.h"
#include "kernels/cpu/parallel.h"
#include "model/xray_cnn.h"

namespace roentgen::apps {

void NetworkArgs::add_to(Options& options) {
  options.add("--image-size", image_size, "Height and width the images are resized to")
      ->check(between(1, 8192));
  options.add("--filters", filters, "Filters of each convolution, one block per number")
      ->delimiter(',')
      ->check(between(1, 65536));
  options.add("--dense", dense, "Units of the dense layer")->check(between(1, 1 << 20));
  options.add("--dropout", dropout, "One dropout rate for all layers, 0 for none [0.23, 0.25, 0.25, 0.4]")
      ->check(between(0.0, 0.999));
}

model::Sequential NetworkArgs::network(std::int64_t classes) const {
  model::XrayCnnOptions options{
      .image_size = image_size, .filters = filters, .dense = dense, .classes = classes};
  if (dropout) {
    options.dropout.assign(filters.size(), *dropout);
    options.dense_dropout = *dropout;
  }
  try {
    model::Sequential net = model::xray_cnn(options);
    net.parameter_count();  // throws where they are more than can be counted
    return net;
  } catch (const std::invalid_argument& error) {
    throw UsageError(fmt::format("--image-size {} does not fit {} blocks of --filters: {}", image_size,
                                 filters.size(), error.what()));
  }
}

void DeviceArgs::add_to(Options& options) {
  options.add("--device", device, "auto, cpu, reference, cuda or cuda:N");
  options.add("--precision", precision, "float32 (fp32), float64 (fp64, double) or bfloat16 (bf16)")
      ->transform(CLI::Transformer(std::map<std::string, std::string>{
          {"fp32", "float32"}, {"fp64", "float64"}, {"double", "float64"}, {"bf16", "bfloat16"}}))
      ->check(CLI::IsMember({"float32", "float64", "bfloat16"}));
  options.add("--threads", threads, "Threads that compute, 0 for all processors")->check(between(0, 1024));
}

engine::DType DeviceArgs::dtype() const {
  if (precision == "float64") return engine::DType::float64;
  return precision == "bfloat16" ? engine::DType::bfloat16 : engine::DType::float32;
}

engine::Device DeviceArgs::open() const {
  engine::Device opened;
  try {
    opened = engine::parse_device(device);
  } catch (const std::invalid_argument& error) {
    throw UsageError(error.what());
  }
  if (dtype() == engine::DType::float64 && !std::holds_alternative<kernels::Reference>(opened)) {
    throw UsageError(fmt::format("--precision float64 is computed on --device reference only, not on {}",
                                 engine::to_string(opened)));
  }
  if (threads > 0) kernels::set_thread_count(threads);
  return opened;
}

}  // namespace roentgen::apps
