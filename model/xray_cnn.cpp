#include "model/xray_cnn.h"

#include "engine/check.h"

namespace roentgen::model {

Sequential xray_cnn(const XrayCnnOptions& options) {
  engine::require(!options.dropout.empty() || options.filters.empty(),
                  "xray_cnn: dropout has no rate for its {} blocks", options.filters.size());
  Sequential net({options.image_size, options.image_size, options.channels});
  for (std::size_t block = 0; block < options.filters.size(); ++block) {
    net.add(Conv2D(options.filters[block], options.kernel, Activation::relu));
    net.add(MaxPooling2D(2));
    net.add(Dropout(options.dropout[std::min(block, options.dropout.size() - 1)]));
  }
  net.add(Flatten());
  net.add(Dense(options.dense, Activation::relu));
  net.add(Dropout(options.dense_dropout));
  net.add(Dense(options.classes, Activation::softmax));
  net.output_shape();  // throws where the images are too small
  return net;
}

}  // namespace roentgen::model
