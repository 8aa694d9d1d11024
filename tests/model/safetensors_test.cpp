#include "model/safetensors.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <chrono>
#include <limits>
#include <nlohmann/json.hpp>

#include "tests/model/safetensors_files.h"

namespace roentgen::model {
namespace {

using engine::DType;
using test::file_of;
using test::Folder;
using test::message_of;
using test::read_file;
using test::write_file;
using testing::HasSubstr;

TEST(Safetensors, RoundTripsEveryType) {
  const Folder folder;
  const engine::Device reference = kernels::Reference{};
  const std::vector<NamedTensor> tensors = {
      {"f32", Tensor::from<float>({1.5f, -0.0f, 3e-40f}, {3})},
      {"f64",
       Tensor::from<double>({1e300, 0.1, std::numeric_limits<double>::infinity(), -4}, {2, 2}, reference)},
      {"bf16", Tensor::from<kernels::bfloat16>({kernels::bfloat16(2.5f)}, {1, 1, 1})},
      {"i64", Tensor::from<std::int64_t>({-1, std::numeric_limits<std::int64_t>::max()}, {2})},
      {"i32", Tensor::from<std::int32_t>({7}, {})},
      {"u8", Tensor::from<std::uint8_t>({0, 255, 3}, {3, 1})},
      {"empty", Tensor({0, 4}, DType::float32)},
      {"naïve \"name\"\n", Tensor::from<float>({1}, {1})}};
  const auto file = folder / "a.safetensors";
  write_safetensors(file, tensors, {{"key", "välue \" with\nall"}, {"empty", ""}});
  const TensorFile back = read_safetensors(file);
  EXPECT_EQ(back.metadata,
            (std::map<std::string, std::string>{{"key", "välue \" with\nall"}, {"empty", ""}}));
  ASSERT_EQ(back.tensors.size(), tensors.size());
  for (const NamedTensor& t : tensors) {
    const Tensor* read = back.find(t.name);
    ASSERT_NE(read, nullptr) << t.name;
    EXPECT_EQ(read->dtype(), t.tensor.dtype());
    EXPECT_EQ(read->shape(), t.tensor.shape());
    std::vector<char> a(t.tensor.bytes()), b(t.tensor.bytes());
    t.tensor.copy_to_host(a.data());
    read->copy_to_host(b.data());
    EXPECT_EQ(a, b) << t.name;
  }
  EXPECT_EQ(back.find("absent"), nullptr);
}

// The layout that others' readers rely on: length, JSON padded with spaces to 8 bytes, data in order.
TEST(Safetensors, WritesThePublishedFormat) {
  const Folder folder;
  write_safetensors(folder / "a",
                    {{"b", Tensor::from<float>({1, 2}, {2})}, {"a", Tensor::from<float>({3}, {1})}},
                    {{"k", "v"}});
  const std::string bytes = read_file(folder / "a");
  std::uint64_t length = 0;
  std::memcpy(&length, bytes.data(), 8);
  EXPECT_EQ((8 + length) % 8, 0u);
  EXPECT_EQ(bytes.size(), 8 + length + 12);
  const auto header = nlohmann::json::parse(bytes.substr(8, length));
  EXPECT_EQ(header["b"], (nlohmann::json{{"dtype", "F32"}, {"shape", {2}}, {"data_offsets", {0, 8}}}));
  EXPECT_EQ(header["a"]["data_offsets"], (nlohmann::json{8, 12}));
  EXPECT_EQ(header["__metadata__"]["k"], "v");
  float values[3];
  std::memcpy(values, bytes.data() + 8 + length, 12);
  EXPECT_THAT(values, testing::ElementsAre(1, 2, 3));
}

TEST(Safetensors, SameTensorsSameBytes) {
  const Folder folder;
  const std::vector<NamedTensor> tensors{{"w", Tensor::from<float>({1, 2}, {2})}};
  write_safetensors(folder / "a", tensors, {{"k", "v"}});
  write_safetensors(folder / "b", tensors, {{"k", "v"}});
  EXPECT_EQ(read_file(folder / "a"), read_file(folder / "b"));
}

TEST(Safetensors, ReadsFilesOfOthers) {
  const Folder folder;
  const auto file = folder / "a.safetensors";
  write_file(file, file_of(R"({"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}     )", 8));
  EXPECT_EQ(read_safetensors(file).find("w")->shape(), (Shape{2}));
  write_file(file, file_of(R"( {"__metadata__":{"format":"pt"}})", 0).replace(8, 1, ""));
  EXPECT_THROW(read_safetensors(file), CheckpointError);  // the length is now one too many
  write_file(file, file_of(R"({"__metadata__":{"format":"pt"}})", 0));
  EXPECT_EQ(read_safetensors(file).metadata.at("format"), "pt");
  write_file(file, file_of("{}", 0));
  EXPECT_TRUE(read_safetensors(file).tensors.empty());
  // In any order of the names, scalars and empty tensors too.
  write_file(file, file_of(R"({"b":{"dtype":"U8","shape":[],"data_offsets":[4,5]},)"
                           R"("e":{"dtype":"F64","shape":[3,0],"data_offsets":[4,4]},)"
                           R"("a":{"dtype":"I32","shape":[1],"data_offsets":[0,4]}})",
                           5));
  EXPECT_EQ(read_safetensors(file).tensors.size(), 3u);
}

TEST(Safetensors, ConvertsHalfPrecisionExactly) {
  const Folder folder;
  const std::vector<std::uint16_t> bits = {0x0000, 0x8000, 0x3C00, 0xC000, 0x7BFF, 0x0400,
                                           0x0001, 0x83FF, 0x7C00, 0xFC00, 0x3555};
  std::string bytes = file_of(R"({"h":{"dtype":"F16","shape":[11],"data_offsets":[0,22]}})", 0);
  bytes.append(reinterpret_cast<const char*>(bits.data()), 22);
  write_file(folder / "a", bytes);
  const std::vector<float> h = read_safetensors(folder / "a").find("h")->to_vector<float>();
  const float inf = std::numeric_limits<float>::infinity();
  EXPECT_EQ(h, (std::vector<float>{0.0f, -0.0f, 1.0f, -2.0f, 65504.0f, 0x1p-14f, 0x1p-24f, -1023 * 0x1p-24f,
                                   inf, -inf, 1365 * 0x1p-12f}));
  EXPECT_TRUE(std::signbit(h[1]));
}

TEST(Safetensors, UnreadableFiles) {
  const Folder folder;
  EXPECT_THAT(message_of<IoError>([&] { read_safetensors(folder / "none"); }),
              HasSubstr("none: cannot be read: No such file or directory"));
  EXPECT_THAT(message_of<IoError>([&] { read_safetensors(folder.path()); }), HasSubstr("not a file"));
  ::mkfifo((folder / "pipe").c_str(), 0600);
  EXPECT_THAT(message_of<IoError>([&] { read_safetensors(folder / "pipe"); }), HasSubstr("not a file"));
  EXPECT_THROW(read_safetensors("/dev/zero"), IoError);
}

TEST(Safetensors, RefusesNamesThatOccurTwice) {
  const Folder folder;
  const Tensor t = Tensor::from<float>({1}, {1});
  EXPECT_THROW(write_safetensors(folder / "a", {{"w", t}, {"w", t}}), std::invalid_argument);
  EXPECT_THROW(write_safetensors(folder / "a", {{"__metadata__", t}}), std::invalid_argument);
  EXPECT_FALSE(std::filesystem::exists(folder / "a"));
}

}  // namespace
}  // namespace roentgen::model
