#include "model/state.h"

namespace roentgen::model {

bool is_floating(engine::DType dtype) {
  return dtype == engine::DType::float32 || dtype == engine::DType::float64 ||
         dtype == engine::DType::bfloat16;
}

void assign(const Tensor& target, const Tensor& source) {
  if (target.dtype() == source.dtype()) {
    target.copy_from_host(source.raw());
  } else {
    assign(target, source.to_doubles());
  }
}

void assign(const Tensor& target, const std::vector<double>& values) {
  if (target.dtype() == engine::DType::float64) {
    target.copy_from_host(values.data());
  } else {
    target.copy_from_host(std::vector<float>(values.begin(), values.end()).data());
  }
}

}  // namespace roentgen::model
