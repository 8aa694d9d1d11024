#include "engine/tensor.h"

#include <gtest/gtest.h>

#include <limits>

#include "engine/device.h"
#include "engine/memory.h"
#include "engine/nonfinite.h"

namespace roentgen::engine {
namespace {

const Device reference = kernels::Reference{};

TEST(Tensor, HoldsValuesOfEveryType) {
  EXPECT_EQ(Tensor::from(std::vector<float>{1, 2}, {2}).to_vector<float>(), (std::vector<float>{1, 2}));
  EXPECT_EQ(Tensor::from(std::vector<std::int64_t>{-5}, {}).to_vector<std::int64_t>(),
            (std::vector<std::int64_t>{-5}));
  EXPECT_EQ(Tensor::full({2}, 0.5, DType::bfloat16).to_doubles(), (std::vector<double>{0.5, 0.5}));
  EXPECT_EQ(Tensor::zeros({3}, DType::uint8).to_vector<std::uint8_t>(), (std::vector<std::uint8_t>(3, 0)));
  EXPECT_EQ(Tensor::full({1, 1}, 7, DType::float64, reference).item(), 7);
}

TEST(Tensor, RefusesWrongShapesAndTypes) {
  EXPECT_THROW(Tensor::from(std::vector<float>{1, 2}, {3}), std::invalid_argument);
  EXPECT_THROW(Tensor({-1}, DType::float32), std::invalid_argument);
  EXPECT_THROW(Tensor({std::int64_t{1} << 40, std::int64_t{1} << 40}, DType::uint8), std::invalid_argument);
  const Tensor x({2, 3}, DType::float32);
  EXPECT_THROW(x.data<double>(), std::invalid_argument);
  EXPECT_THROW(x.to_vector<std::int32_t>(), std::invalid_argument);
  EXPECT_THROW(x.item(), std::invalid_argument);
  EXPECT_THROW(x.dim(2), std::invalid_argument);
  EXPECT_THROW(x.view({4}), std::invalid_argument);
  EXPECT_THROW(x.rows(1, 2), std::invalid_argument);
  EXPECT_THROW(x.window(5, {2}), std::invalid_argument);
  EXPECT_THROW(x.copy_from(Tensor({3, 2}, DType::float32)), std::invalid_argument);
  EXPECT_THROW(Tensor::zeros({2}, DType::int32).to_doubles(), std::invalid_argument);
  EXPECT_THROW(Tensor{}.data<float>(), std::invalid_argument);
}

TEST(Tensor, CopiesShareAndClonesDoNot) {
  const Tensor x = Tensor::full({2, 2}, 1, DType::float32), shared = x, apart = x.clone();
  x.copy_from(Tensor::full({2, 2}, 5, DType::float32));
  EXPECT_TRUE(shared.same_memory(x));
  EXPECT_EQ(shared.to_doubles()[0], 5);
  EXPECT_EQ(apart.to_doubles()[0], 1);
}

TEST(Tensor, WindowsSeeTheSameMemory) {
  const Tensor x = Tensor::from(std::vector<float>{0, 1, 2, 3, 4, 5}, {3, 2});
  EXPECT_EQ(x.rows(1, 2).to_vector<float>(), (std::vector<float>{2, 3, 4, 5}));
  EXPECT_EQ(x.view({2, 3}).rows(1, 1).to_vector<float>(), (std::vector<float>{3, 4, 5}));
  const Tensor window = x.window(1, {2, 2}).window(1, {2});
  EXPECT_EQ(window.to_vector<float>(), (std::vector<float>{2, 3}));
  window.copy_from(Tensor::full({2}, 9, DType::float32));
  EXPECT_EQ(x.to_vector<float>(), (std::vector<float>{0, 1, 9, 9, 4, 5}));
  EXPECT_EQ(x.dim(-1), 2);
  EXPECT_EQ(x.rows(3, 0).size(), 0);
}

TEST(Tensor, MovesBetweenDevices) {
  const Tensor x = Tensor::from(std::vector<float>{1, 2, 3}, {3});
  const Tensor there = x.to(reference);
  EXPECT_EQ(there.device(), reference);
  EXPECT_EQ(there.to(kernels::Cpu{}).to_vector<float>(), x.to_vector<float>());
}

TEST(Tensor, MemoryIsAlignedAndCounted) {
  for (const Device& device : {Device{kernels::Cpu{}}, reference}) {
    reset_peak(device);
    const std::size_t before = memory_stats(device).in_use;
    {
      const Tensor x({1000}, DType::float32, device);
      EXPECT_EQ(reinterpret_cast<std::uintptr_t>(x.raw()) % 64, 0u);
      EXPECT_GE(memory_stats(device).in_use, before + x.bytes());
      EXPECT_GE(memory_stats(device).peak, before + x.bytes());
    }
    EXPECT_EQ(memory_stats(device).in_use, before);
    release_cached(device);
    EXPECT_GE(memory_stats(device).reserved, memory_stats(device).in_use);
  }
}

TEST(Tensor, PrintsShapesTypesAndDevices) {
  EXPECT_EQ(to_string(Shape{16, 64}), "[16, 64]");
  EXPECT_EQ(to_string(Shape{}), "[]");
  EXPECT_EQ(to_string(DType::bfloat16), "bfloat16");
  EXPECT_EQ(to_string(reference), "reference");
}

TEST(Nonfinite, FindsTheFirst) {
  for (const Device& device : {Device{kernels::Cpu{}}, reference}) {
    std::vector<float> values(50000, 1);
    EXPECT_EQ(first_nonfinite(Tensor::from(values, {50000}, device)), std::nullopt);
    values[40001] = std::numeric_limits<float>::infinity();
    values[40002] = std::numeric_limits<float>::quiet_NaN();
    EXPECT_EQ(first_nonfinite(Tensor::from(values, {50000}, device)), 40001);
    values[3] = -std::numeric_limits<float>::quiet_NaN();
    EXPECT_EQ(first_nonfinite(Tensor::from(values, {50000}, device)), 3);
  }
  EXPECT_THROW(first_nonfinite(Tensor::zeros({2}, DType::int32)), std::invalid_argument);
}

TEST(ParseDevice, KnowsTheNames) {
  EXPECT_EQ(parse_device("cpu"), Device{kernels::Cpu{}});
  EXPECT_EQ(parse_device("reference"), reference);
  EXPECT_NE(parse_device("auto"), reference);
  for (const char* name :
       {"gpu", "", "CPU", "cuda:", "cuda:x", "cuda:-1", "cuda:0x", "cuda:99999", "cpu:0"}) {
    EXPECT_THROW(parse_device(name), std::invalid_argument) << name;
  }
  EXPECT_THROW(parse_device("cuda:999"), DeviceError);  // absent from every build and machine
}

}  // namespace
}  // namespace roentgen::engine
