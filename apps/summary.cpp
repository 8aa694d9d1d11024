// roentgen summary
#include <fmt/format.h>

#include <string>

#include "apps/command.h"
#include "apps/commands.h"
#include "apps/console.h"
#include "apps/errors.h"
#include "apps/network_options.h"
#include "model/checkpoint.h"

namespace roentgen::apps {

namespace {

constexpr const char* examples = R"(Examples:
  roentgen summary
  roentgen summary --image-size 128 --filters 16,32
  roentgen summary --weights runs/first/best.safetensors)";

struct SummaryArgs {
  std::string weights;
  NetworkArgs network;
  std::int64_t classes = 3;

  void add_to(Options& options) {
    options.add("--weights", weights, "Show the network of this checkpoint");
    network.add_to(options);
    options.add("--classes", classes, "Classes to tell apart")->check(between(2, 1 << 20));
  }
};

void summary(const SummaryArgs& args) {
  const model::Sequential net =
      args.weights.empty()
          ? args.network.network(args.classes)
          : model::Sequential::from_config(model::Checkpoint::load(args.weights).architecture());
  print(net.summary("xray_cnn"));
}

}  // namespace

void add_summary(CLI::App& program) {
  add_command<SummaryArgs>(program, "summary", "Show a network's layers, shapes and parameters", examples,
                           [](const SummaryArgs& args, const Options&) { summary(args); });
}

}  // namespace roentgen::apps
