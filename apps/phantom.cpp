// roentgen phantom
#include "data/phantom.h"

#include <fmt/format.h>

#include <string>

#include "apps/command.h"
#include "apps/commands.h"
#include "apps/console.h"
#include "apps/errors.h"
#include "apps/options.h"

namespace roentgen::apps {

namespace {

constexpr const char* examples = R"(Examples:
  roentgen phantom --output xrays
  roentgen phantom --output small --train-per-class 12 --test-per-class 4 --size 64)";

struct PhantomArgs {
  std::string output;
  int train_per_class = 60, test_per_class = 20, size = 256, workers = 0;
  std::uint64_t seed = 0;
  bool exist_ok = false, quiet = false;

  void add_to(Options& options) {
    options.add("--output", output, "Folder to write train/CLASS/*.png and test/CLASS/*.png to");
    options.add("--train-per-class", train_per_class, "Images per class to train on")
        ->check(between(0, 1000000));
    options.add("--test-per-class", test_per_class, "Images per class to test on")
        ->check(between(0, 1000000));
    options.add("--size", size, "Height and width")->check(between(32, 4096));
    options.add("--seed", seed, "Of everything that is drawn")->check(unsigned_number());
    options.add("-j,--workers", workers, "Threads that draw, 0 for all processors")->check(between(0, 1024));
    options.flag("--exist-ok", exist_ok, "Overwrite files of the same names");
    options.flag("--quiet", quiet, "No progress on stderr");
  }
};

void phantom(const PhantomArgs& args) {
  if (args.output.empty()) throw UsageError("phantom needs --output DIR, the folder to write the images to");
  if (args.train_per_class + args.test_per_class == 0) {
    throw UsageError("phantom has nothing to write with --train-per-class 0 and --test-per-class 0");
  }
  const bool shown = !args.quiet && redraws_lines();
  data::write_phantoms(
      args.output,
      {.train_per_class = args.train_per_class,
       .test_per_class = args.test_per_class,
       .size = args.size,
       .seed = args.seed,
       .workers = args.workers,
       .exist_ok = args.exist_ok,
       .progress = [&](std::int64_t done, std::int64_t total) {
         if (!shown || (done % 16 != 0 && done != total)) return;
         std::fputs(fmt::format("\rDrawing {}/{}{}", done, total, done == total ? "\n" : "").c_str(), stderr);
       }});
  const auto classes = data::phantom_classes.size();
  print(fmt::format("Wrote {} images to train and {} to test with, {} x {}, in '{}'\n",
                    static_cast<std::size_t>(args.train_per_class) * classes,
                    static_cast<std::size_t>(args.test_per_class) * classes, args.size, args.size,
                    args.output));
}

}  // namespace

void add_phantom(CLI::App& program) {
  add_command<PhantomArgs>(program, "phantom", "Draw phantom X-rays: images without patients", examples,
                           [](const PhantomArgs& args, const Options&) { phantom(args); });
}

}  // namespace roentgen::apps
