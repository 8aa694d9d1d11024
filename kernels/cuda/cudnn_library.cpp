#include "kernels/cuda/cudnn_library.h"

#include <fmt/format.h>

#include <algorithm>

#include "kernels/cuda/cudnn_stopwatch.h"
#include "kernels/cuda/runtime.h"

namespace roentgen::kernels::cudnn {

void check_version(std::size_t running, std::size_t compiled) {
  // 9.19.0 is 91900; a library serves programs of its major version that are not newer than itself.
  if (running / 10000 == compiled / 10000 && running >= compiled) return;
  throw DeviceError(fmt::format("cuDNN {}.{} is installed, but this program needs {}.{} or a later {}.x",
                                running / 10000, running / 100 % 100, compiled / 10000, compiled / 100 % 100,
                                compiled / 10000));
}

Library::Library(CudaContext& context) : context_(context), cache_(PlanCache::default_file()) {
  check_version(cudnnGetVersion(), CUDNN_VERSION);
  context.activate();
  cudnnHandle_t handle = nullptr;
  check(cudnnCreate(&handle));
  handle_.reset(handle);
  check(cudnnSetStream(handle, context.stream()));
  cudaDeviceProp properties{};
  check(cudaGetDeviceProperties(&properties, context.ordinal()));
  device_name_ = fmt::format("{} ({} multiprocessors)", properties.name, properties.multiProcessorCount);
}

namespace {

bool is_capturing(const CudaContext& context) {
  cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
  check(cudaStreamIsCapturing(context.stream(), &status));
  return status != cudaStreamCaptureStatusNone;
}

bool is_aligned(const void* pointer) {
  return reinterpret_cast<std::uintptr_t>(pointer) % 16 == 0;
}

// In the order of `letters`.
std::vector<void*> pointers_of(const std::string& letters, Arguments arguments) {
  std::vector<void*> pointers;
  for (const char letter : letters)
    for (const auto& [id, pointer] : arguments)
      if (id == letter) pointers.push_back(const_cast<void*>(pointer));
  return pointers;
}

}  // namespace

bool Library::run(const ConvProblem& problem, Arguments arguments) {
  for (const auto& [id, pointer] : arguments)
    if (!is_aligned(pointer)) return false;
  context_.activate();
  std::lock_guard lock(mutex_);  // a handle serves one thread at a time
  const Choice& choice = choose(problem, arguments);
  if (!choice.plan) return false;
  const Scratch<std::byte> workspace(Cuda{&context_}, choice.plan->workspace());
  return choice.plan->execute(
      handle(), argument_pack(choice.arguments, pointers_of(choice.arguments, arguments), workspace.data()));
}

const Library::Choice& Library::choose(const ConvProblem& problem, Arguments arguments) {
  for (const Choice& choice : choices_)
    if (choice.problem == problem) return choice;
  Choice choice{problem, {}, nullptr};
  Graph graph;
  if (make_graph(problem, {handle(), nullptr}, graph)) {
    choice.arguments = graph.arguments();
    const std::string name = fmt::format("{} | cuDNN {} | {}", device_name_, cudnnGetVersion(), key(problem));
    choice.plan = remembered(name);
    if (!choice.plan) {
      // What was timed differs from run to run, and nothing can be timed while a graph is captured.
      const bool capturing = is_capturing(context_);
      choice.plan = fastest(allowed_configurations(problem, graph), choice.arguments,
                            pointers_of(choice.arguments, arguments), !problem.deterministic && !capturing);
      if (choice.plan && !capturing) cache_.store(name, choice.plan->json());
    }
  }
  return choices_.emplace_back(std::move(choice));
}

std::shared_ptr<const Plan> Library::remembered(const std::string& name) const {
  const auto json = cache_.find(name);
  if (!json) return nullptr;
  std::shared_ptr<const Plan> plan = load_plan({handle(), nullptr}, *json);
  const auto most = static_cast<std::int64_t>(context_.options().workspace);
  return plan && plan->workspace() <= most ? plan : nullptr;
}

std::shared_ptr<const Plan> Library::fastest(const std::vector<Configuration>& configurations,
                                             const std::string& letters, const std::vector<void*>& pointers,
                                             bool timed) const {
  struct Candidate {
    std::shared_ptr<const Plan> plan;
    float milliseconds = 0;
  };
  constexpr int first_look = 1, second_look = 15;  // some engines take a hundred times as long as the best
  constexpr std::size_t finalists = 8;
  const auto most = static_cast<std::int64_t>(context_.options().workspace);
  std::vector<Candidate> candidates;
  std::int64_t room = 0;
  for (const Configuration& configuration : configurations) {
    std::shared_ptr<const Plan> plan = build_plan({handle(), nullptr}, configuration);
    if (!plan || plan->workspace() > most) continue;
    if (!timed) return plan;
    room = std::max(room, plan->workspace());
    candidates.push_back({std::move(plan)});
  }
  if (candidates.empty()) return nullptr;

  DeviceBuffer workspace = device_buffer(room);
  while (!workspace && room > 0) workspace = device_buffer(room /= 2);
  const Descriptor pack = argument_pack(letters, pointers, workspace.get());
  Stopwatch stopwatch(context_);
  // Times the candidates and sorts them, fastest first; those that cannot run leave.
  const auto time = [&](int runs) {
    std::vector<Candidate> timed_ones;
    for (Candidate& candidate : candidates) {
      const auto once = [&] { return candidate.plan->execute(handle(), pack); };
      if (candidate.plan->workspace() > room || !once()) continue;  // the first run loads code
      timed_ones.push_back({candidate.plan, stopwatch.median(runs, once)});
    }
    std::stable_sort(timed_ones.begin(), timed_ones.end(),
                     [](const Candidate& a, const Candidate& b) { return a.milliseconds < b.milliseconds; });
    candidates = std::move(timed_ones);
  };
  time(first_look);
  if (candidates.size() > finalists) candidates.resize(finalists);
  time(second_look);
  return candidates.empty() ? nullptr : candidates[0].plan;
}

}  // namespace roentgen::kernels::cudnn
