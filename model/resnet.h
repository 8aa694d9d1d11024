// ResNet-18 (He et al., "Deep residual learning for image recognition", 2016), from the same layers.
#pragma once

#include "model/sequential.h"

namespace roentgen::model {

struct Resnet18Options {
  std::int64_t image_size = 224;
  std::int64_t channels = 3;
  std::int64_t classes = 1000;
  std::int64_t width = 64;  // filters of the first stage; each of the four doubles them
};

// 11,699,112 parameters with the defaults, 11,689,512 of them trainable, as in PyTorch.
Sequential resnet18(const Resnet18Options& options = {});

}  // namespace roentgen::model
