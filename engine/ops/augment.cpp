#include "kernels/augment.h"

#include "engine/check.h"
#include "engine/dispatch.h"
#include "engine/ops.h"

namespace roentgen::engine {

Tensor augment(const Tensor& images, const Tensor& maps, DType dtype, double scale) {
  require(images.defined() && images.rank() == 4 && images.dtype() == DType::uint8,
          "augment: takes uint8 images [n, h, w, c], not {} {}", to_string(images.dtype()),
          to_string(images.shape()));
  const kernels::AugmentShape shape{
      .n = images.dim(0), .h = images.dim(1), .w = images.dim(2), .c = images.dim(3)};
  if (maps.defined()) {
    require_same_device("augment", images, maps);
    require(maps.dtype() == DType::uint8 &&
                maps.bytes() == static_cast<std::size_t>(shape.n) * sizeof(kernels::Affine),
            "augment: takes {} bytes of maps for {} images, not {} {}",
            static_cast<std::size_t>(shape.n) * sizeof(kernels::Affine), shape.n, to_string(maps.dtype()),
            to_string(maps.shape()));
  }
  Tensor y(images.shape(), dtype, images.device());
  dispatch("augment", y, [&]<class T>(auto device, T) {
    kernels::augment(device, shape, images.data<std::uint8_t>(),
                     reinterpret_cast<const kernels::Affine*>(maps.raw()), scale, y.data<T>());
  });
  return y;
}

}  // namespace roentgen::engine
