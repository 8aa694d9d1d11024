// Weights of other programs: layouts are told apart, converted, and refused by name.
#include <gmock/gmock.h>

#include "engine/optimizer.h"
#include "model/checkpoint.h"
#include "model/xray_cnn.h"
#include "tests/model/support.h"

namespace roentgen::model {
namespace {

using engine::DType;
using test::Folder;
using test::message_of;
using testing::HasSubstr;

const engine::Device cpu = kernels::Cpu{};

// 10 - 2 = 8, 8 / 2 = 4: Flatten makes [4, 4, 5] from two channels.
Sequential network(std::uint64_t seed) {
  Sequential net({10, 10, 2}, Conv2D(5, 3, Activation::relu), MaxPooling2D(2), Dropout(0.1), Flatten(),
                 Dropout(0.1), Dense(6, Activation::relu), Dense(3, Activation::softmax));
  net.build(cpu, DType::float32, seed);
  return net;
}

using Index = std::vector<std::int64_t>;

// A tensor of `shape` whose element at each index is that of `source` at from(index), both row-major.
Tensor rearranged(const Tensor& source, const Shape& shape,
                  const std::function<std::int64_t(const Index&)>& from) {
  const std::vector<float> values = source.to_vector<float>();
  std::vector<float> result;
  Index index(shape.size(), 0);
  for (std::int64_t i = 0; i < engine::element_count(shape); ++i) {
    std::int64_t rest = i;
    for (std::size_t axis = shape.size(); axis-- > 0;) {
      index[axis] = rest % shape[axis];
      rest /= shape[axis];
    }
    result.push_back(values[static_cast<std::size_t>(from(index))]);
  }
  return Tensor::from(result, shape);
}

// The network's weights as PyTorch keeps them, by index arithmetic alone.
std::vector<NamedTensor> as_pytorch(const Sequential& net) {
  std::vector<NamedTensor> result = net.state();
  result[0].tensor = rearranged(net.state()[0].tensor, {5, 2, 3, 3}, [](const Index& i) {  // [k, c, r, s]
    return ((i[0] * 3 + i[2]) * 3 + i[3]) * 2 + i[1];
  });
  result[2].tensor = rearranged(net.state()[2].tensor, {6, 80}, [](const Index& i) {
    const std::int64_t c = i[1] / 16, h = i[1] / 4 % 4, w = i[1] % 4;
    return i[0] * 80 + (h * 4 + w) * 5 + c;
  });
  return result;
}

std::vector<NamedTensor> as_keras(const Sequential& net) {
  std::vector<NamedTensor> result = net.state();
  result[0].tensor = rearranged(net.state()[0].tensor, {3, 3, 2, 5}, [](const Index& i) {  // [r, s, c, k]
    return ((i[3] * 3 + i[0]) * 3 + i[1]) * 2 + i[2];
  });
  result[2].tensor =
      rearranged(net.state()[2].tensor, {80, 6}, [](const Index& i) { return i[1] * 80 + i[0]; });
  result[4].tensor =
      rearranged(net.state()[4].tensor, {6, 3}, [](const Index& i) { return i[1] * 6 + i[0]; });
  return result;
}

class LoadWeights : public testing::Test {
 protected:
  const Folder folder;
  const std::filesystem::path file = folder / "weights.safetensors";
  const Sequential source = network(1);
  Sequential target = network(2);

  void expect_same() {
    for (std::size_t i = 0; i < source.state().size(); ++i) {
      EXPECT_EQ(source.state()[i].tensor.to_doubles(), target.state()[i].tensor.to_doubles())
          << source.state()[i].name;
    }
  }
};

TEST_F(LoadWeights, InAnyLayoutByShape) {
  for (const auto& [tensors, layout] : {std::pair{source.state(), "roentgen"},
                                        {as_pytorch(source), "pytorch"},
                                        {as_keras(source), "keras"}}) {
    target.build(cpu, DType::float32, 2);
    write_safetensors(file, tensors);
    EXPECT_THAT(load_weights(target, file),
                testing::AllOf(HasSubstr(std::string("layout ") + layout), HasSubstr("shapes")));
    expect_same();
  }
}

TEST_F(LoadWeights, MetadataDecideAndAreHeldToIt) {
  write_safetensors(file, as_pytorch(source), {{"layout", "pytorch"}});
  EXPECT_THAT(load_weights(target, file), HasSubstr("metadata"));
  expect_same();
  write_safetensors(file, as_pytorch(source), {{"layout", "keras"}});
  EXPECT_THAT(message_of<CheckpointError>([&] { load_weights(target, file); }),
              HasSubstr("'conv1.weight' is float32 [5, 2, 3, 3] where the network needs [3, 3, 2, 5]"));
  write_safetensors(file, as_pytorch(source), {{"layout", "NCHW"}});
  EXPECT_THAT(message_of<CheckpointError>([&] { load_weights(target, file); }), HasSubstr("'NCHW'"));
}

// A filter of 3x3 over 3 channels looks the same in two layouts: ours unless the file says.
TEST_F(LoadWeights, AmbiguousShapesAreOurs) {
  Sequential a({5, 5, 3}, Conv2D(4, 3), Flatten(), Dense(2)), b({5, 5, 3}, Conv2D(4, 3), Flatten(), Dense(2));
  a.build(cpu, DType::float32, 1);
  b.build(cpu, DType::float32, 2);
  write_safetensors(file, a.state());
  EXPECT_THAT(load_weights(b, file), HasSubstr("layout roentgen, as nothing tells otherwise"));
  EXPECT_EQ(a.state()[0].tensor.to_doubles(), b.state()[0].tensor.to_doubles());
  write_safetensors(file, a.state(), {{"layout", "pytorch"}});
  load_weights(b, file);
  EXPECT_NE(a.state()[0].tensor.to_doubles(), b.state()[0].tensor.to_doubles());
}

TEST_F(LoadWeights, OtherTypesAreConverted) {
  Sequential wide = network(1);
  wide.build(kernels::Reference{}, DType::float64, 1);
  write_safetensors(file, wide.state());
  load_weights(target, file);
  for (std::size_t i = 0; i < wide.state().size(); ++i) {
    EXPECT_LT(test::distance(target.state()[i].tensor, wide.state()[i].tensor), 1e-7);
  }
}

TEST_F(LoadWeights, TakesCheckpointsAndPassesOverTheirOptimiser) {
  engine::Adam adam(source.parameters());
  save_checkpoint(file, {}, source, &adam);
  EXPECT_THAT(load_weights(target, file), HasSubstr("metadata"));
  expect_same();
}

TEST_F(LoadWeights, NamesTheFirstThatDoesNotFitAndChangesNothing) {
  const std::vector<double> before = target.state()[0].tensor.to_doubles();
  std::vector<NamedTensor> tensors = source.state();
  const NamedTensor last = tensors.back();
  tensors.pop_back();
  write_safetensors(file, tensors);
  EXPECT_THAT(message_of<CheckpointError>([&] { load_weights(target, file); }),
              HasSubstr("weights.safetensors: the network's tensor 'dense2.bias' is missing"));
  tensors.push_back({"dense2.bias", Tensor::from<float>({1, 2, 3, 4}, {4})});
  write_safetensors(file, tensors);
  EXPECT_THAT(message_of<CheckpointError>([&] { load_weights(target, file); }),
              HasSubstr("'dense2.bias' is float32 [4] where the network needs [3]"));
  tensors.back() = last;
  tensors.push_back({"dense3.bias", last.tensor});
  write_safetensors(file, tensors);
  EXPECT_THAT(message_of<CheckpointError>([&] { load_weights(target, file); }),
              HasSubstr("'dense3.bias' does not belong to the network"));
  tensors.back().name = "optimizer.adam.m.dense2.bias";  // only a checkpoint has such
  write_safetensors(file, tensors);
  EXPECT_THROW(load_weights(target, file), CheckpointError);
  tensors.pop_back();
  tensors.back().tensor = Tensor::from<std::int32_t>({1, 2, 3}, {3});
  write_safetensors(file, tensors);
  EXPECT_THROW(load_weights(target, file), CheckpointError);
  EXPECT_EQ(target.state()[0].tensor.to_doubles(), before);
}

}  // namespace
}  // namespace roentgen::model
