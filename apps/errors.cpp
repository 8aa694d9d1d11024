#include "apps/errors.h"

#include <cxxabi.h>
#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <new>
#include <typeinfo>

#include "data/error.h"
#include "engine/device.h"
#include "model/error.h"
#include "model/trainer.h"

namespace roentgen::apps {

namespace {

int exit_code_of(const std::exception& error) {
  const auto is = [&]<class T>(const T*) { return dynamic_cast<const T*>(&error) != nullptr; };
  if (const auto* interrupted = dynamic_cast<const Interrupted*>(&error)) {
    return exit_signal + interrupted->signal;
  }
  if (is(static_cast<const UsageError*>(nullptr))) return exit_usage;
  if (is(static_cast<const data::DataError*>(nullptr))) return exit_data;
  if (is(static_cast<const model::CheckpointError*>(nullptr))) return exit_checkpoint;
  if (is(static_cast<const engine::DeviceError*>(nullptr))) return exit_device;
  if (is(static_cast<const model::Diverged*>(nullptr))) return exit_diverged;
  if (is(static_cast<const data::IoError*>(nullptr)) || is(static_cast<const model::IoError*>(nullptr)) ||
      is(static_cast<const std::filesystem::filesystem_error*>(nullptr))) {
    return exit_io;
  }
  return exit_failure;
}

std::string type_name(const std::exception& error) {
  int status = 0;
  const std::unique_ptr<char, void (*)(void*)> name(
      abi::__cxa_demangle(typeid(error).name(), nullptr, nullptr, &status), &std::free);
  return name ? name.get() : typeid(error).name();
}

}  // namespace

int guarded(const std::function<void()>& body, const bool& debug) {
  std::string message;
  int code = exit_failure;
  try {
    body();
    return exit_ok;
  } catch (const std::bad_alloc& error) {
    message = "out of memory; lower --batch-size, --image-size or --memory-budget, or take a smaller network";
    if (debug) message += fmt::format(" [{}]", type_name(error));
  } catch (const std::exception& error) {
    message = error.what();
    code = exit_code_of(error);
    if (debug) message += fmt::format(" [{}]", type_name(error));
  }
  // Names of files may hold line ends and terminal controls.
  for (char& c : message) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = c == '\n' ? ' ' : '?';
  }
  std::fputs(fmt::format("roentgen: {}\n", message).c_str(), stderr);
  return code;
}

}  // namespace roentgen::apps
