// The network of the recipe, and its relatives of other depths and sizes.
#pragma once

#include <vector>

#include "model/sequential.h"

namespace roentgen::model {

// One block of convolution, pooling and dropout per entry of `filters`.
struct XrayCnnOptions {
  std::int64_t image_size = 256;
  std::int64_t channels = 3;
  std::vector<std::int64_t> filters = {32, 64, 128};
  std::int64_t kernel = 3;
  std::vector<double> dropout = {0.23, 0.25, 0.25};  // one per block; the last stands for blocks beyond
  std::int64_t dense = 64;
  double dense_dropout = 0.4;
  std::int64_t classes = 3;
};

// With the defaults the recipe's 7,466,307 parameters. Throws std::invalid_argument where the images are too
// small for the depth.
Sequential xray_cnn(const XrayCnnOptions& options = {});

}  // namespace roentgen::model
