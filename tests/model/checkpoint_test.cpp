#include "model/checkpoint.h"

#include <gmock/gmock.h>

#include "engine/optimizer.h"
#include "model/resnet.h"
#include "model/xray_cnn.h"
#include "tests/model/safetensors_files.h"

namespace roentgen::model {
namespace {

using engine::DType;
using nlohmann::json;
using test::Folder;
using test::message_of;
using test::random_tensor;
using test::write_file;
using testing::AllOf;
using testing::HasSubstr;

const engine::Device cpu = kernels::Cpu{};

Sequential network(std::uint64_t seed, double dropout = 0.2) {
  Sequential net({12, 12, 2}, Conv2D(4, 3, {.activation = Activation::relu, .padding = Padding::same}),
                 BatchNormalization(), MaxPooling2D(2), Dropout(dropout), Flatten(),
                 Dense(3, Activation::softmax));
  net.build(cpu, DType::float32, seed);
  return net;
}

Tensor images() {
  return random_tensor({4, 12, 12, 2}, DType::float32, cpu, 1);
}

void train_step(Sequential& net, engine::Optimizer& optimizer, std::uint32_t step) {
  net.parameters().clear_gradients();
  const Tensor labels = Tensor::from<std::int32_t>({0, 1, 2, 1}, {4}, cpu);
  engine::backward(
      engine::cross_entropy(net.forward(images(), {.training = true, .seed = 1, .step = step}), labels));
  optimizer.step(1e-2);
}

CheckpointInfo information() {
  CheckpointInfo info;
  info.classes = {"Covid", "Normal", "Viral \"Pneumonia\" <ü>"};
  info.preprocessing = {.image_size = 12, .channels = 2, .resize = "nearest", .scale = 0.1};
  info.seed = 18446744073709551615u;
  info.epoch = 3;
  info.step_in_epoch = 5;
  info.global_step = 53;
  info.best_metric = 0.1;
  info.early_stopping = {{"waited", 2}};
  info.arguments = {{"lr", 1e-3}, {"nested", {{"a", {1, 2}}}}};
  info.metrics = {{"loss", {1.0 / 3, 0.25}}};
  return info;
}

// Rewrites the metadata of a checkpoint, digests and all: what a deliberate forger could do.
void forge(const std::filesystem::path& from, const std::filesystem::path& to,
           const std::function<void(json&, std::vector<NamedTensor>&)>& change) {
  TensorFile file = read_safetensors(from);
  json meta = json::parse(file.metadata.at("roentgen.checkpoint"));
  std::vector<NamedTensor> tensors;
  for (const auto& [name, tensor] : file.tensors) tensors.push_back({name, tensor});
  change(meta, tensors);
  file.metadata["roentgen.checkpoint"] = meta.dump();
  write_safetensors(to, tensors, file.metadata);
}

class Checkpoints : public testing::Test {
 protected:
  const Folder folder;
  const std::filesystem::path file = folder / "last.safetensors";
};

TEST_F(Checkpoints, KeepsEverythingItWasGiven) {
  const Sequential net = network(1);
  const CheckpointInfo info = information();
  save_checkpoint(file, info, net);
  const Checkpoint back = Checkpoint::load(file);
  EXPECT_EQ(back.info().classes, info.classes);
  EXPECT_EQ(back.info().preprocessing.image_size, 12);
  EXPECT_EQ(back.info().preprocessing.channels, 2);
  EXPECT_EQ(back.info().preprocessing.resize, "nearest");
  EXPECT_EQ(back.info().preprocessing.scale, 0.1);
  EXPECT_EQ(back.info().seed, info.seed);
  EXPECT_EQ(back.info().epoch, 3);
  EXPECT_EQ(back.info().step_in_epoch, 5);
  EXPECT_EQ(back.info().global_step, 53);
  EXPECT_EQ(back.info().best_metric, 0.1);
  EXPECT_EQ(back.info().early_stopping, info.early_stopping);
  EXPECT_EQ(back.info().arguments, info.arguments);
  EXPECT_EQ(back.info().metrics, info.metrics);
  EXPECT_EQ(back.architecture(), net.config());
  EXPECT_FALSE(back.has_optimizer());
  CheckpointInfo without = info;
  without.best_metric.reset();
  save_checkpoint(file, without, net);
  EXPECT_FALSE(Checkpoint::load(file).info().best_metric);
}

// Saved in the middle, a training goes on to the very bits of the uninterrupted one, for every optimiser.
TEST_F(Checkpoints, ResumedTrainingRepeatsTheUninterruptedOne) {
  using Make = std::function<std::unique_ptr<engine::Optimizer>(const Sequential&)>;
  const std::vector<Make> optimizers = {
      [](const Sequential& net) { return std::make_unique<engine::Adam>(net.parameters()); },
      [](const Sequential& net) { return std::make_unique<engine::AdamW>(net.parameters()); },
      [](const Sequential& net) {
        return std::make_unique<engine::Sgd>(net.parameters(), engine::SgdOptions{.momentum = 0.9});
      },
      [](const Sequential& net) { return std::make_unique<engine::Sgd>(net.parameters()); }};
  for (const Make& make : optimizers) {
    Sequential net = network(1);
    const auto optimizer = make(net);
    for (std::uint32_t step = 0; step < 3; ++step) train_step(net, *optimizer, step);
    save_checkpoint(file, information(), net, optimizer.get());
    for (std::uint32_t step = 3; step < 6; ++step) train_step(net, *optimizer, step);

    const Checkpoint checkpoint = Checkpoint::load(file);
    EXPECT_TRUE(checkpoint.has_optimizer());
    Sequential resumed = checkpoint.network(cpu);
    const auto other = make(resumed);
    checkpoint.restore(*other);
    EXPECT_EQ(other->steps(), 3);
    for (std::uint32_t step = 3; step < 6; ++step) train_step(resumed, *other, step);
    for (std::size_t i = 0; i < net.state().size(); ++i) {
      EXPECT_EQ(net.state()[i].tensor.to_doubles(), resumed.state()[i].tensor.to_doubles())
          << optimizer->kind() << " " << net.state()[i].name;
    }
    EXPECT_EQ(net.forward(images(), {}).to_doubles(), resumed.forward(images(), {}).to_doubles());
  }
}

TEST_F(Checkpoints, TensorsHaveTheirNames) {
  Sequential net = network(1);
  engine::Adam adam(net.parameters());
  save_checkpoint(file, information(), net, &adam);
  const TensorFile raw = read_safetensors(file);
  for (const char* name : {"conv1.weight", "conv1.bias", "norm1.gamma", "norm1.beta", "norm1.moving_mean",
                           "norm1.moving_variance", "dense1.weight", "dense1.bias",
                           "optimizer.adam.m.conv1.weight", "optimizer.adam.v.dense1.bias"}) {
    EXPECT_NE(raw.find(name), nullptr) << name;
  }
  EXPECT_EQ(raw.find("optimizer.adam.m.conv1.weight")->shape(), (Shape{4, 3, 3, 2}));
  EXPECT_EQ(raw.tensors.size(), 8u + 2 * 6u);
}

TEST_F(Checkpoints, OtherTypesAndArchitectures) {
  Sequential net = resnet18({.image_size = 32, .classes = 2, .width = 2});
  net.build(kernels::Reference{}, DType::float64, 1);
  save_checkpoint(file, {}, net);
  const Checkpoint checkpoint = Checkpoint::load(file);
  const Tensor x = random_tensor({1, 32, 32, 3}, DType::float64, kernels::Reference{}, 1);
  EXPECT_EQ(checkpoint.network(kernels::Reference{}, DType::float64).forward(x, {}).to_doubles(),
            net.forward(x, {}).to_doubles());
  const Tensor y = checkpoint.network(cpu).forward(random_tensor({1, 32, 32, 3}, DType::float32, cpu, 1), {});
  EXPECT_LT(test::distance(y, net.forward(x, {})), 1e-4);  // 18 layers of float32
}

TEST_F(Checkpoints, RefusesFilesOfOthers) {
  write_file(file, test::file_of(R"({"conv1.bias":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 8));
  EXPECT_THAT(
      message_of<CheckpointError>([&] { Checkpoint::load(file); }),
      AllOf(HasSubstr(file.string()), HasSubstr("not a checkpoint of this program"), HasSubstr("--init")));
  write_file(file, "PK\x03\x04 a zip of pickles");
  EXPECT_THROW(Checkpoint::load(file), CheckpointError);
  EXPECT_THROW(Checkpoint::load(folder / "none"), IoError);
}

TEST_F(Checkpoints, RefusesForgedMetadata) {
  Sequential net = network(1);
  engine::Adam adam(net.parameters());
  const auto sound = folder / "sound";
  save_checkpoint(sound, information(), net, &adam);
  forge(sound, file, [](json&, std::vector<NamedTensor>&) {});
  EXPECT_NO_THROW(Checkpoint::load(file));
  using Tensors = std::vector<NamedTensor>;
  const std::vector<std::pair<std::string, std::function<void(json&, Tensors&)>>> changes = {
      {"'classes' is missing", [](json& m, Tensors&) { m.erase("classes"); }},
      {"'classes' is not a list of names", [](json& m, Tensors&) { m["classes"][1] = 3; }},
      {"names 4 classes where its network tells 3",
       [](json& m, Tensors&) { m["classes"].push_back("more"); }},
      {"name no format", [](json& m, Tensors&) { m.erase("format"); }},
      {"format 2", [](json& m, Tensors&) { m["format"] = 2; }},
      {"'seed'", [](json& m, Tensors&) { m["seed"] = -1; }},
      {"'epoch'", [](json& m, Tensors&) { m["epoch"] = 1.5; }},
      {"'global_step'", [](json& m, Tensors&) { m["global_step"] = "9"; }},
      {"'best_metric'", [](json& m, Tensors&) { m["best_metric"] = "best"; }},
      {"'metrics'", [](json& m, Tensors&) { m["metrics"] = 3; }},
      {"'image_size'", [](json& m, Tensors&) { m["preprocessing"]["image_size"] = 1 << 20; }},
      {"'scale'", [](json& m, Tensors&) { m["preprocessing"].erase("scale"); }},
      {"'preprocessing'", [](json& m, Tensors&) { m.erase("preprocessing"); }},
      {"'steps'", [](json& m, Tensors&) { m["optimizer"]["steps"] = -1; }},
      {"'optimizer'", [](json& m, Tensors&) { m.erase("optimizer"); }},
      {"'architecture'", [](json& m, Tensors&) { m.erase("architecture"); }},
      {"architecture", [](json& m, Tensors&) { m["architecture"] = 3; }},
      {"no layer is of kind", [](json& m, Tensors&) { m["architecture"]["layers"][0]["kind"] = "eval"; }},
      // Would be terabytes, were they allocated before the file's tensors are asked.
      {"where its architecture has",
       [](json& m, Tensors&) { m["architecture"]["layers"][5]["units"] = 1 << 24; }},
      {"where its architecture has",
       [](json& m, Tensors&) {
         m["architecture"]["input"] = {60000, 60000, 2};
       }},
      {"'conv1.weight' of its architecture is missing",
       [](json&, Tensors& t) {
         std::erase_if(t, [](const NamedTensor& n) { return n.name == "conv1.weight"; });
       }},
      {"'extra' does not belong",
       [](json&, Tensors& t) {
         t.push_back({"extra", Tensor::from<float>({1}, {1})});
       }},
      {"'conv1.bias' is int32 [4]",
       [](json&, Tensors& t) {
         for (NamedTensor& n : t) {
           if (n.name == "conv1.bias") n.tensor = Tensor::from<std::int32_t>({1, 2, 3, 4}, {4});
         }
       }},
  };
  for (const auto& [why, change] : changes) {
    forge(sound, file, change);
    EXPECT_THAT(message_of<CheckpointError>([&] { Checkpoint::load(file); }),
                AllOf(HasSubstr(why), HasSubstr(file.string())));
  }
}

TEST_F(Checkpoints, RefusesWhatDoesNotFitAndChangesNothing) {
  Sequential net = network(1);
  engine::Adam adam(net.parameters());
  train_step(net, adam, 0);
  save_checkpoint(file, information(), net, &adam);
  const Checkpoint checkpoint = Checkpoint::load(file);

  Sequential other = xray_cnn({.image_size = 12, .channels = 2, .filters = {4}, .dropout = {0.1}});
  other.build(cpu);
  const std::vector<double> before = other.state()[0].tensor.to_doubles();
  EXPECT_THROW(checkpoint.restore(other), CheckpointError);
  EXPECT_EQ(other.state()[0].tensor.to_doubles(), before);

  // Dropout is no weight: a network with another rate can be restored.
  Sequential rate = network(2, 0.5);
  checkpoint.restore(rate);
  EXPECT_EQ(rate.state()[0].tensor.to_doubles(), net.state()[0].tensor.to_doubles());

  engine::Sgd sgd(net.parameters());
  EXPECT_THAT(message_of<CheckpointError>([&] { checkpoint.restore(sgd); }),
              HasSubstr("was trained with 'adam', not sgd"));
  engine::Adam of_other(other.parameters());
  EXPECT_THROW(checkpoint.restore(of_other), CheckpointError);
  EXPECT_EQ(of_other.steps(), 0);

  engine::Sgd momentum(net.parameters(), {.momentum = 0.9});
  save_checkpoint(file, information(), net, &momentum);
  EXPECT_THAT(message_of<CheckpointError>([&] { Checkpoint::load(file).restore(sgd); }),
              HasSubstr("same options"));
  save_checkpoint(file, information(), net);
  EXPECT_THAT(message_of<CheckpointError>([&] { Checkpoint::load(file).restore(adam); }),
              HasSubstr("holds no optimiser state"));
}

}  // namespace
}  // namespace roentgen::model
