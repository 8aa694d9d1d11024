#if ROENTGEN_WITH_CUDNN

#include <dlfcn.h>
#include <gtest/gtest.h>

#include <set>
#include <type_traits>

#include "kernels/cuda/cudnn_library.h"
#include "tests/kernels/cudnn_h200.h"

namespace roentgen::kernels::cudnn {
namespace {

// The three convolutions of the network for a batch of 16, and of 11: the last one of an epoch.
std::vector<Conv2dShape> network() {
  std::vector<Conv2dShape> shapes;
  for (const std::int64_t n : {16, 11}) {
    shapes.push_back({.n = n, .h = 256, .w = 256, .c = 3, .k = 32, .r = 3, .s = 3});
    shapes.push_back({.n = n, .h = 127, .w = 127, .c = 32, .k = 64, .r = 3, .s = 3});
    shapes.push_back({.n = n, .h = 62, .w = 62, .c = 64, .k = 128, .r = 3, .s = 3});
  }
  return shapes;
}
constexpr Precision precisions[] = {Precision::float32, Precision::tf32, Precision::bfloat16};

// Engines that need no run-time compiler, which without a driver cuDNN does not offer.
bool is_precompiled(const ConvProblem& p) {
  const bool low = p.precision == Precision::bfloat16;
  return p.kind != ConvKind::backward_data_relu &&
         !(low && (p.kind == ConvKind::forward_bias || p.kind == ConvKind::forward_bias_relu ||
                   p.kind == ConvKind::backward_weights));
}

// A plan for the problem must exist, fit into memory and come back from its text.
void expect_plan(const ConvProblem& problem, const Target& target) {
  SCOPED_TRACE(key(problem));
  Graph graph;
  ASSERT_TRUE(make_graph(problem, target, graph));
  const auto found = allowed_configurations(problem, graph);
  ASSERT_FALSE(found.empty());
  std::int64_t least = std::numeric_limits<std::int64_t>::max();
  std::size_t built = 0;
  for (const Configuration& configuration : found) {
    EXPECT_TRUE(is_allowed(problem, configuration.notes));
    const auto plan = build_plan(target, configuration);
    if (!plan) continue;
    EXPECT_GE(plan->workspace(), 0);
    least = std::min(least, plan->workspace());
    if (built++ > 0) continue;
    const auto again = load_plan(target, plan->json());
    ASSERT_TRUE(again);
    EXPECT_EQ(again->workspace(), plan->workspace());
    EXPECT_EQ(again->json(), plan->json());
  }
  EXPECT_GT(built, 0u);
  EXPECT_LE(least, static_cast<std::int64_t>(CudaOptions{}.workspace));
}

class CudnnPlans : public ::testing::TestWithParam<ConvKind> {};

TEST_P(CudnnPlans, ExistForEveryLayerOfTheNetwork) {
  const Target target = described_device(h200);
  for (const Conv2dShape& shape : network())
    for (const Precision precision : precisions)
      for (const bool deterministic : {false, true}) {
        const ConvProblem problem{GetParam(), shape, precision, deterministic};
        if (is_precompiled(problem)) expect_plan(problem, target);
      }
}
INSTANTIATE_TEST_SUITE_P(Kinds, CudnnPlans,
                         ::testing::Values(ConvKind::forward, ConvKind::forward_bias,
                                           ConvKind::forward_bias_relu, ConvKind::backward_data,
                                           ConvKind::backward_weights, ConvKind::backward_weights_rounded));

// What is fused when it is first used. cuDNN knows the patterns without a driver, their engines only with
// one.
TEST(CudnnPlan, RunTimeFusedPatternsAreKnown) {
  const Target target = described_device(h200);
  void* driver = dlopen("libcuda.so.1", RTLD_LAZY | RTLD_LOCAL);
  for (const Conv2dShape& shape : network())
    for (const Precision precision : precisions)
      for (const auto kind : {ConvKind::forward_bias, ConvKind::forward_bias_relu,
                              ConvKind::backward_data_relu, ConvKind::backward_weights}) {
        const ConvProblem problem{kind, shape, precision, true};
        if (is_precompiled(problem)) continue;
        SCOPED_TRACE(key(problem));
        Graph graph;
        ASSERT_TRUE(make_graph(problem, target, graph));
        EXPECT_EQ(graph.arguments().find('t'), std::string::npos);  // a virtual tensor has no memory
        // Three channels of bfloat16 are padded by engines of their own, which nothing can be fused to.
        const bool odd = precision == Precision::bfloat16 && shape.c == 3 &&
                         (kind == ConvKind::backward_data_relu || kind == ConvKind::backward_weights);
        if (driver && !odd && precision != Precision::float32) {
          EXPECT_FALSE(allowed_configurations(problem, graph).empty());
        }
      }
  if (!driver) GTEST_SKIP() << "the run-time fused engines need libcuda.so.1: patterns alone were checked";
  dlclose(driver);
}

TEST(CudnnPlan, ReductionsAreKnown) {
  const Extents full{16, 64, 125, 125};
  Graph graph;
  graph.reduction(CUDNN_REDUCE_TENSOR_ADD, {'y', full, CUDNN_DATA_BFLOAT16},
                  {'b', {1, 64, 1, 1}, CUDNN_DATA_FLOAT});
  EXPECT_TRUE(graph.finish(described_device(h200)));
  EXPECT_EQ(graph.arguments(), "yb");
  // 63 channels are no sum of 64.
  EXPECT_THROW(Graph().reduction(CUDNN_REDUCE_TENSOR_ADD, {'y', full, CUDNN_DATA_FLOAT},
                                 {'b', {1, 63, 1, 1}, CUDNN_DATA_FLOAT}),
               DeviceError);
}

TEST(CudnnPlan, StridesPaddingAndDilation) {
  const Conv2dShape shape{.n = 2,
                          .h = 31,
                          .w = 17,
                          .c = 16,
                          .k = 24,
                          .r = 3,
                          .s = 5,
                          .stride_h = 2,
                          .stride_w = 1,
                          .pad_h = 1,
                          .pad_w = 4,
                          .dilation_h = 1,
                          .dilation_w = 2};
  for (const auto kind : {ConvKind::forward, ConvKind::backward_data, ConvKind::backward_weights})
    expect_plan({kind, shape, Precision::float32, true}, described_device(h200));
}

TEST(CudnnPlan, OptionsBanEngines) {
  const Target target = described_device(h200);
  const Conv2dShape shape = network()[1];
  Graph graph;
  ASSERT_TRUE(make_graph({ConvKind::backward_weights, shape}, target, graph));
  const auto count = [&](const auto& has) {
    const auto all = configurations(graph);
    return std::count_if(all.begin(), all.end(), has);
  };
  const auto nondeterministic = [](const Configuration& c) {
    return c.notes.has(CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC);
  };
  const auto tensor_core = [](const Configuration& c) {
    return c.notes.has(CUDNN_NUMERICAL_NOTE_TENSOR_CORE);
  };
  // There is something to ban.
  ASSERT_GT(count(nondeterministic), 0);
  ASSERT_GT(count(tensor_core), 0);
  for (const Precision precision : {Precision::float32, Precision::tf32})
    for (const bool deterministic : {false, true}) {
      const auto allowed =
          allowed_configurations({ConvKind::backward_weights, shape, precision, deterministic}, graph);
      const bool any_nondeterministic = std::any_of(allowed.begin(), allowed.end(), nondeterministic);
      const bool any_tensor_core = std::any_of(allowed.begin(), allowed.end(), tensor_core);
      EXPECT_EQ(any_nondeterministic, !deterministic);
      EXPECT_EQ(any_tensor_core, precision == Precision::tf32);
    }
}

TEST(CudnnPlan, DamagedTextIsRefused) {
  const Target target = described_device(h200);
  const ConvProblem problem{ConvKind::forward, network()[1], Precision::bfloat16, false};
  Graph graph;
  ASSERT_TRUE(make_graph(problem, target, graph));
  const std::string text = build_plan(target, allowed_configurations(problem, graph).at(0))->json();
  EXPECT_FALSE(load_plan(target, ""));
  EXPECT_FALSE(load_plan(target, "{}"));
  EXPECT_FALSE(load_plan(target, text.substr(0, text.size() / 2)));
  std::string other_version = text;
  const std::size_t at = other_version.find("\"cudnnVersion\":") + 15;
  ASSERT_LT(at, other_version.size());
  other_version[at] = '8';
  EXPECT_FALSE(load_plan(target, other_version));
}

TEST(CudnnPlan, TakesPointersByTensor) {
  const Target target = described_device(h200);
  Graph graph;
  ASSERT_TRUE(make_graph({ConvKind::forward_bias, network()[1], Precision::tf32, false}, target, graph));
  EXPECT_EQ(graph.arguments(), "xwby");
  std::vector<void*> pointers;
  for (std::uintptr_t at = 1; at <= 4; ++at) pointers.push_back(reinterpret_cast<void*>(at << 20));
  EXPECT_NO_THROW(argument_pack(graph.arguments(), pointers, nullptr));
  pointers.pop_back();
  EXPECT_THROW(argument_pack(graph.arguments(), pointers, nullptr), DeviceError);
}

TEST(CudnnPlan, KeysTellProblemsApart) {
  std::set<std::string> keys;
  std::size_t problems = 0;
  const auto add = [&](const ConvProblem& p) { keys.insert(key(p)), ++problems; };
  const ConvProblem base{
      ConvKind::forward, {.n = 2, .h = 3, .w = 4, .c = 5, .k = 6, .r = 7, .s = 8}, Precision::float32, false};
  for (int kind = 0; kind <= static_cast<int>(ConvKind::backward_weights_rounded); ++kind)
    for (const Precision precision : precisions)
      for (const bool deterministic : {false, true})
        add({static_cast<ConvKind>(kind), base.shape, precision, deterministic});
  for (std::int64_t Conv2dShape::*extent :
       {&Conv2dShape::n, &Conv2dShape::h, &Conv2dShape::w, &Conv2dShape::c, &Conv2dShape::k, &Conv2dShape::r,
        &Conv2dShape::s, &Conv2dShape::stride_h, &Conv2dShape::stride_w, &Conv2dShape::pad_h,
        &Conv2dShape::pad_w, &Conv2dShape::dilation_h, &Conv2dShape::dilation_w}) {
    ConvProblem changed = base;
    changed.shape.*extent += 10;
    add(changed);
  }
  EXPECT_EQ(keys.size(), problems);
}

TEST(CudnnDescriptor, MovesAndFrees) {
  static_assert(!std::is_copy_constructible_v<Descriptor> && !std::is_copy_assignable_v<Descriptor>);
  static_assert(std::is_nothrow_move_constructible_v<Descriptor> &&
                std::is_nothrow_move_assignable_v<Descriptor> && std::is_nothrow_destructible_v<Descriptor>);
  static_assert(!std::is_copy_constructible_v<Plan> && std::is_nothrow_move_constructible_v<Plan>);
  Descriptor first(CUDNN_BACKEND_TENSOR_DESCRIPTOR);
  const auto raw = first.raw();
  ASSERT_NE(raw, nullptr);
  Descriptor second(std::move(first));
  EXPECT_EQ(first.raw(), nullptr);
  EXPECT_EQ(second.raw(), raw);
  Descriptor third(CUDNN_BACKEND_POINTWISE_DESCRIPTOR);
  third = std::move(second);
  EXPECT_EQ(third.raw(), raw);
  third.set(CUDNN_ATTR_TENSOR_UNIQUE_ID, std::int64_t{'x'});
}

TEST(CudnnDescriptor, PlansOutliveWhatMadeThem) {
  std::unique_ptr<Plan> plan;
  {
    const Target target = described_device(h200);
    const ConvProblem problem{ConvKind::forward, network()[1], Precision::tf32, false};
    Graph graph;
    ASSERT_TRUE(make_graph(problem, target, graph));
    plan = build_plan(target, allowed_configurations(problem, graph).at(0));
  }
  ASSERT_TRUE(plan);
  EXPECT_NE(plan->json().find("CUDNN_DATA_FLOAT"), std::string::npos);
}

TEST(CudnnDescriptor, ErrorsHaveCudnnsTextAndOurPlace) {
  try {
    Descriptor(CUDNN_BACKEND_TENSOR_DESCRIPTOR).finalize();  // no type, no extents
    FAIL() << "an empty tensor was accepted";
  } catch (const DeviceError& e) {
    const std::string what = e.what();
    EXPECT_EQ(what.rfind("cuDNN: CUDNN_STATUS_BAD_PARAM", 0), 0u) << what;
    EXPECT_NE(what.find("cudnn_plan_test.cpp:"), std::string::npos) << what;
  }
}

TEST(CudnnVersion, LibraryMustFitTheHeaders) {
  EXPECT_NO_THROW(check_version(cudnnGetVersion(), CUDNN_VERSION));
  EXPECT_NO_THROW(check_version(92000, 91900));
  EXPECT_THROW(check_version(90800, 91900), DeviceError);
  EXPECT_THROW(check_version(100000, 91900), DeviceError);
  try {
    check_version(90801, 91900);
  } catch (const DeviceError& e) {
    EXPECT_STREQ(e.what(), "cuDNN 9.8 is installed, but this program needs 9.19 or a later 9.x");
  }
}

}  // namespace
}  // namespace roentgen::kernels::cudnn

#endif
