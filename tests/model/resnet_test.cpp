// A ResNet-18 of the same layers: counts, training, gradients.
#include "model/resnet.h"

#include "engine/gradcheck.h"
#include "engine/optimizer.h"
#include "tests/model/support.h"

namespace roentgen::model {
namespace {

using engine::DType;
using test::random_tensor;

const engine::Device reference = kernels::Reference{};

TEST(Resnet, HasTheParametersOfThePaper) {
  const Sequential net = resnet18();
  EXPECT_EQ(net.parameter_count(true), 11'689'512);  // torchvision's count, which leaves statistics out
  EXPECT_EQ(net.parameter_count() - net.parameter_count(true), 9600);
  EXPECT_EQ(net.output_shape(), (Shape{1000}));
  EXPECT_EQ(net.layers().layers().size(), 4u + 8u + 2u);
}

TEST(Resnet, TrainsOnCpu) {
  Sequential net = resnet18({.image_size = 32, .classes = 3, .width = 8});
  net.build(kernels::Cpu{}, DType::float32, 1);
  engine::Adam adam(net.parameters());
  const Tensor x = random_tensor({6, 32, 32, 3}, DType::float32, kernels::Cpu{}, 1);
  const Tensor labels = Tensor::from<std::int32_t>({0, 1, 2, 0, 1, 2}, {6}, kernels::Cpu{});
  std::vector<Tensor> before;
  for (const NamedTensor& tensor : net.state()) before.push_back(tensor.tensor.clone());
  double first = 0, last = 0;
  for (std::uint32_t step = 0; step < 12; ++step) {
    net.parameters().clear_gradients();
    const Tensor loss = engine::cross_entropy(net.forward(x, {.training = true, .step = step}), labels);
    engine::backward(loss);
    adam.step(3e-3);
    last = loss.item();
    if (step == 0) first = last;
  }
  EXPECT_LT(last, 0.3 * first);
  for (std::size_t i = 0; i < before.size(); ++i) {
    EXPECT_GT(test::distance(net.state()[i].tensor, before[i]), 1e-5) << net.state()[i].name;
  }
}

// All gradients at once, along random directions through the weights and the images, in float64: central
// differences of the training loss, batch statistics included.
TEST(Resnet, GradientsAgreeWithDifferences) {
  Sequential net = resnet18({.image_size = 32, .classes = 3, .width = 2});
  net.build(reference, DType::float64, 1);
  const Tensor labels = Tensor::from<std::int32_t>({0, 1, 2, 0}, {4}, reference);
  Tensor x = random_tensor({4, 32, 32, 3}, DType::float64, reference, 1);
  x.collect_gradient();
  const Context context{.training = true};
  const auto loss = [&] { return engine::cross_entropy(net.forward(x, context), labels); };
  net.parameters().clear_gradients();
  engine::backward(loss());

  std::vector<Tensor> inputs{x};
  for (const NamedTensor& p : net.parameters().all()) inputs.push_back(p.tensor);
  for (std::uint32_t trial = 0; trial < 3; ++trial) {
    // Small enough that few ReLUs and pools change sides, large enough for rounding.
    const double epsilon = 1e-7;
    double analytic = 0;
    std::vector<std::vector<double>> values, directions;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      values.push_back(inputs[i].to_doubles());
      const auto stream = static_cast<std::uint32_t>(100 + trial * 1000 + i);
      directions.push_back(random_tensor(inputs[i].shape(), DType::float64, reference, stream).to_doubles());
      const std::vector<double> gradient = inputs[i].grad().to_doubles();
      for (std::size_t j = 0; j < gradient.size(); ++j) analytic += gradient[j] * directions[i][j];
    }
    const auto moved = [&](double by) {
      for (std::size_t i = 0; i < inputs.size(); ++i) {
        std::vector<double> there = values[i];
        for (std::size_t j = 0; j < there.size(); ++j) there[j] += by * directions[i][j];
        inputs[i].copy_from_host(there.data());
      }
      const engine::NoGrad no_grad;
      return loss().item();
    };
    const double numeric = (moved(epsilon) - moved(-epsilon)) / (2 * epsilon);
    moved(0);
    EXPECT_NEAR(analytic, numeric, 1e-4 * (1 + std::abs(numeric))) << "direction " << trial;
    EXPECT_GT(std::abs(numeric), 1e-3);
  }
}

}  // namespace
}  // namespace roentgen::model
