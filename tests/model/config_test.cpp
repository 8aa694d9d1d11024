// Architectures as JSON: what a checkpoint may ask for.
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "model/error.h"
#include "model/resnet.h"
#include "model/xray_cnn.h"
#include "tests/model/support.h"

namespace roentgen::model {
namespace {

using nlohmann::json;
using test::message_of;
using testing::HasSubstr;

Sequential every_layer() {
  return Sequential(
      {16, 16, 3},
      Conv2D(4, {3, 5},
             {.activation = Activation::gelu,
              .strides = {1, 2},
              .padding = Padding::same,
              .dilation = 1,
              .use_bias = false,
              .initializer = Initializer::he_uniform}),
      BatchNormalization(0.9, 1e-5), ActivationLayer(Activation::leaky_relu),
      MaxPooling2D({2, 3}, {.strides = 1}), AveragePooling2D(2, {.padding = Padding::same}),
      Residual(Chain(Conv2D(4, 1)), Chain(), Activation::tanh),
      Residual(Chain(Residual(Chain(Dropout(0.125)))), Chain(Conv2D(4, 1, Activation::sigmoid))),
      GlobalAveragePooling2D(), Flatten(), Dense(7, Activation::relu, Initializer::he_normal), Dropout(0.5),
      Dense(2, Activation::softmax));
}

TEST(Config, RoundTripsEveryLayer) {
  const Sequential net = every_layer();
  const json config = json::parse(net.config().dump());
  const Sequential copy = Sequential::from_config(config);
  EXPECT_EQ(copy.config(), config);
  EXPECT_EQ(copy.summary(), net.summary());
  ASSERT_EQ(copy.parameter_specs().size(), net.parameter_specs().size());
  for (std::size_t i = 0; i < net.parameter_specs().size(); ++i) {
    EXPECT_EQ(copy.parameter_specs()[i].initializer, net.parameter_specs()[i].initializer);
  }
  for (const Sequential& other : {xray_cnn(), resnet18()}) {
    EXPECT_EQ(Sequential::from_config(other.config()).config(), other.config());
  }
}

TEST(Config, KindsAreAClosedSet) {
  json config = xray_cnn().config();
  config["layers"][1]["kind"] = "Lambda";
  EXPECT_THAT(message_of<CheckpointError>([&] { Sequential::from_config(config); }),
              HasSubstr("no layer is of kind \"Lambda\""));
}

// Each change makes the architecture senseless; each is refused with CheckpointError, none with anything
// else.
TEST(Config, RefusesWhatMakesNoSense) {
  const json good = every_layer().config();
  const std::vector<std::pair<const char*, json>> changes = {
      {"/input", {16, 16}},
      {"/input", {16, -1, 3}},
      {"/input", {0, 16, 3}},
      {"/input", {16, 1 << 20, 3}},
      {"/input", json::array()},
      {"/input", "16"},
      {"/input/0", 16.5},
      {"/layers", json::object()},
      {"/layers/0", json::array()},
      {"/layers/0", 3},
      {"/layers/0/kind", 3},
      {"/layers/0/kind", json()},
      {"/layers/0/filters", 0},
      {"/layers/0/filters", -4},
      {"/layers/0/filters", 1e3},
      {"/layers/0/filters", 18446744073709551615u},
      {"/layers/0/filters", 1ll << 40},
      {"/layers/0/kernel", 3},
      {"/layers/0/kernel", {3, 3, 3}},
      {"/layers/0/kernel", {0, 3}},
      {"/layers/0/kernel", {1 << 30, 1 << 30}},
      {"/layers/0/strides", {0, 1}},
      {"/layers/0/activation", "swish"},
      {"/layers/0/padding", "reflect"},
      {"/layers/0/use_bias", 1},
      {"/layers/0/initializer", "lecun"},
      {"/layers/1/momentum", "0.9"},
      {"/layers/1/epsilon", 0},
      {"/layers/3/pool", {64, 64}},
      {"/layers/5/main", 1},
      {"/layers/5/main/0/filters", 5},
      {"/layers/9/units", 1ll << 60},
      {"/layers/10/rate", 1},
      {"/layers/10/rate", -0.5},
      {"/layers/10", {{"kind", "Dropout"}}},
  };
  for (const auto& [pointer, value] : changes) {
    json config = good;
    config[json::json_pointer(pointer)] = value;
    EXPECT_NE(message_of<CheckpointError>([&] { Sequential::from_config(config); }), "")
        << pointer << " " << value;
  }
  for (const json& other : {json(), json(3), json::array(), json::object()}) {
    EXPECT_THROW(Sequential::from_config(other), CheckpointError);
  }
}

TEST(Config, BoundsNestingAndNumber) {
  json nested = json::array({{{"kind", "Flatten"}}});
  for (int i = 0; i < 8; ++i) {
    nested =
        json::array({{{"kind", "Residual"}, {"main", nested}, {"shortcut", nested}, {"activation", "relu"}}});
    if (i == 5) {
      EXPECT_NO_THROW(Sequential::from_config({{"input", {4}}, {"layers", nested}}));
    }
  }
  nested = json::array(
      {{{"kind", "Residual"}, {"main", nested}, {"shortcut", json::array()}, {"activation", "relu"}}});
  EXPECT_THAT(message_of<CheckpointError>([&] {
                Sequential::from_config({{"input", {4}}, {"layers", nested}});
              }),
              HasSubstr("nested deeper than 8"));
  const json many(1001, {{"kind", "Flatten"}});
  EXPECT_THROW(Sequential::from_config({{"input", {4}}, {"layers", many}}), CheckpointError);
}

}  // namespace
}  // namespace roentgen::model
