// Damaged and hostile files: all refused with CheckpointError, in bounded time and memory.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <sys/resource.h>

#include <chrono>
#include <random>

#include "engine/memory.h"
#include "model/error.h"
#include "model/json.h"
#include "tests/model/safetensors_files.h"

namespace roentgen::model {
namespace {

using test::file_of;
using test::Folder;
using test::write_file;

// True if reading throws CheckpointError; any other exception fails the test.
bool refused(const std::filesystem::path& file) {
  try {
    read_safetensors(file);
    return false;
  } catch (const CheckpointError& error) {
    // One line that names the file and holds no raw bytes of it.
    const std::string message = error.what();
    EXPECT_TRUE(message.starts_with(file.string())) << message;
    for (const char c : message) EXPECT_TRUE(c < 0 || c >= ' ') << message;
    EXPECT_LT(message.size(), 400u);
    return true;
  }
}

class Damage : public testing::Test {
 protected:
  const Folder folder;
  const std::filesystem::path file = folder / "damaged.safetensors";
  const std::string sound = test::sample_file(folder);
  std::size_t header_end() const {
    std::uint64_t length = 0;
    std::memcpy(&length, sound.data(), 8);
    return 8 + length;
  }
  bool refuses(const std::string& bytes) {
    write_file(file, bytes);
    return refused(file);
  }
  std::string flipped(std::size_t bit) const {
    std::string bytes = sound;
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ 1 << bit % 8);
    return bytes;
  }
};

TEST_F(Damage, SoundFileIsRead) {
  EXPECT_FALSE(refuses(sound));
}

TEST_F(Damage, EveryBitOfTheHeader) {
  for (std::size_t bit = 0; bit < 8 * header_end(); ++bit) {
    ASSERT_TRUE(refuses(flipped(bit))) << "bit " << bit % 8 << " of byte " << bit / 8;
  }
}

TEST_F(Damage, EveryBitOfTheData) {
  for (std::size_t bit = 8 * header_end(); bit < 8 * sound.size(); ++bit) {
    ASSERT_TRUE(refuses(flipped(bit))) << "bit " << bit % 8 << " of byte " << bit / 8;
  }
}

TEST_F(Damage, EveryTruncationAndManyExtensions) {
  for (std::size_t size = 0; size < sound.size(); ++size) {
    ASSERT_TRUE(refuses(sound.substr(0, size))) << size;
  }
  for (std::size_t more = 1; more < 300; ++more) {
    ASSERT_TRUE(refuses(sound + std::string(more, '\0'))) << more;
    ASSERT_TRUE(refuses(sound + sound.substr(0, more))) << more;
  }
}

TEST_F(Damage, BytesChangedInsertedAndRemovedAtRandom) {
  std::mt19937 random(1);
  const auto below = [&](std::size_t n) { return static_cast<std::size_t>(random() % n); };
  for (int i = 0; i < 3000; ++i) {
    std::string bytes = sound;
    switch (i % 4) {
      case 0:
        for (int j = 0; j < 4; ++j) bytes[below(bytes.size())] = static_cast<char>(random());
        break;
      case 1:
        bytes.insert(below(bytes.size()), 1 + below(9), static_cast<char>(random()));
        break;
      case 2:
        bytes.erase(below(bytes.size()), 1 + below(9));
        break;
      default:
        std::swap_ranges(bytes.begin(), bytes.begin() + 8, bytes.begin() + 8 + static_cast<long>(below(400)));
        break;
    }
    ASSERT_TRUE(bytes == sound || refuses(bytes)) << i;
  }
}

TEST_F(Damage, OurDigestsCannotBeStripped) {
  for (const std::string key : {"roentgen.sha256.header", "roentgen.sha256.data"}) {
    std::string bytes = sound;
    bytes.replace(bytes.find(key), 8, "whatever");
    EXPECT_TRUE(refuses(bytes)) << key;
  }
}

std::string entry(const std::string& name, const std::string& dtype, const std::string& shape,
                  const std::string& offsets) {
  return fmt::format(R"("{}":{{"dtype":"{}","shape":{},"data_offsets":{}}})", name, dtype, shape, offsets);
}

TEST_F(Damage, HandMadeHeaders) {
  const std::string w = entry("w", "F32", "[2]", "[0,8]");
  const auto with = [&](const std::string& body, std::size_t data) {
    return file_of("{" + body + "}", data);
  };
  EXPECT_FALSE(refuses(with(w, 8)));
  struct Case {
    const char* why;
    std::string bytes;
  };
  std::string huge_length = file_of("{}", 0), longest = huge_length, off_by_one = huge_length;
  huge_length.replace(0, 8, "\xff\xff\xff\xff\xff\xff\xff\xff");
  longest.replace(0, 8, std::string("\0\0\0\0\0\0\0\x80", 8));
  off_by_one[0] = 3;
  const std::vector<Case> cases = {
      {"nothing", ""},
      {"no length", "abc"},
      {"length alone", std::string(8, '\0')},
      {"length of all ones", huge_length},
      {"length with the sign bit", longest},
      {"length one too long", off_by_one},
      {"no object", file_of("[]", 0)},
      {"number", file_of("3", 0)},
      {"white space first", file_of(" {}", 0)},
      {"byte order mark", file_of("\xef\xbb\xbf{}", 0)},
      {"text after the object", file_of("{} {}", 0)},
      {"nul after the object", file_of(std::string("{}\0\0", 4), 0)},
      {"comment", file_of("{/**/}", 0)},
      {"trailing comma", with(w + ",", 8)},
      {"not closed", file_of("{" + w, 8)},
      {"not UTF-8", with(entry("\xff\xfe", "F32", "[2]", "[0,8]"), 8)},
      {"bare surrogate", with(entry("\\ud800", "F32", "[2]", "[0,8]"), 8)},
      {"control character in a name", with(entry("\x01", "F32", "[2]", "[0,8]"), 8)},
      {"pickle", std::string("\x80\x02}q\x00X\x07", 7) + std::string(100, 'q')},
      {"zip", "PK\x03\x04" + std::string(100, '\0')},
      {"HTML", "<!DOCTYPE html><html><body>404 not found</body></html>"},
      {"entry is a number", with("\"w\":3", 8)},
      {"entry is a list", with("\"w\":[]", 8)},
      {"entry is empty", with("\"w\":{}", 8)},
      {"no dtype", with(R"("w":{"shape":[2],"data_offsets":[0,8]})", 8)},
      {"no shape", with(R"("w":{"dtype":"F32","data_offsets":[0,8]})", 8)},
      {"no offsets", with(R"("w":{"dtype":"F32","shape":[2]})", 8)},
      {"another field", with(R"("w":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"x":1})", 8)},
      {"field twice", with(R"("w":{"dtype":"F32","shape":[2],"shape":[2],"data_offsets":[0,8]})", 8)},
      {"name twice", with(w + "," + w, 8)},
      {"name twice, escaped once", with(w + "," + entry("\\u0077", "F32", "[2]", "[0,8]"), 8)},
      {"metadata twice", with(R"("__metadata__":{},"__metadata__":{})", 0)},
      {"metadata key twice", with(R"("__metadata__":{"a":"b","a":"c"})", 0)},
      {"metadata is a list", with(R"("__metadata__":[])", 0)},
      {"metadata value is a number", with(R"("__metadata__":{"a":1})", 0)},
      {"metadata value is an object", with(R"("__metadata__":{"a":{}})", 0)},
      {"unknown type", with(entry("w", "F8_E4M3", "[2]", "[0,2]"), 2)},
      {"lower-case type", with(entry("w", "f32", "[2]", "[0,8]"), 8)},
      {"type is a number", with(R"("w":{"dtype":32,"shape":[2],"data_offsets":[0,8]})", 8)},
      {"shape is a number", with(entry("w", "F32", "2", "[0,8]"), 8)},
      {"shape is an object", with(entry("w", "F32", "{}", "[0,8]"), 8)},
      {"extent below zero", with(entry("w", "F32", "[-2]", "[0,8]"), 8)},
      {"two extents below zero", with(entry("w", "F32", "[-2,-1]", "[0,8]"), 8)},
      {"extent with a fraction", with(entry("w", "F32", "[2.0]", "[0,8]"), 8)},
      {"extent as text", with(entry("w", "F32", "[\"2\"]", "[0,8]"), 8)},
      {"extent null", with(entry("w", "F32", "[null]", "[0,8]"), 8)},
      {"extent of 2^64", with(entry("w", "F32", "[18446744073709551616]", "[0,8]"), 8)},
      {"extent of 2^64 - 1", with(entry("w", "F32", "[18446744073709551615]", "[0,8]"), 8)},
      {"extents whose product wraps to 2", with(entry("w", "F32", "[9223372036854775809,2]", "[0,8]"), 8)},
      {"extents whose product wraps to 0", with(entry("w", "F32", "[4294967296,4294967296]", "[0,0]"), 0)},
      {"extents whose bytes wrap", with(entry("w", "F32", "[4611686018427387906]", "[0,8]"), 8)},
      {"product that wraps beside a zero",
       with(entry("w", "F32", "[281474976710656,281474976710656,0]", "[0,0]"), 0)},
      {"33 axes",
       with(entry("w", "U8", "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]", "[0,1]"),
            1)},
      {"shape larger than the data", with(entry("w", "F32", "[3]", "[0,8]"), 8)},
      {"shape smaller than the data", with(entry("w", "F32", "[1]", "[0,8]"), 8)},
      {"type larger than the data", with(entry("w", "F64", "[2]", "[0,8]"), 8)},
      {"half type with single size", with(entry("w", "F16", "[2]", "[0,8]"), 8)},
      {"terabytes", with(entry("w", "F32", "[1099511627776]", "[0,4398046511104]"), 8)},
      {"offsets null", with(entry("w", "F32", "[2]", "null"), 8)},
      {"one offset", with(entry("w", "F32", "[2]", "[8]"), 8)},
      {"three offsets", with(entry("w", "F32", "[2]", "[0,8,8]"), 8)},
      {"descending offsets", with(entry("w", "F32", "[2]", "[8,0]"), 8)},
      {"offset below zero", with(entry("w", "F32", "[2]", "[-8,0]"), 8)},
      {"offset with a fraction", with(entry("w", "F32", "[2]", "[0.0,8]"), 8)},
      {"offsets that wrap", with(entry("w", "F32", "[2]", "[18446744073709551608,0]"), 8)},
      {"end beyond the data", with(entry("w", "F32", "[4]", "[0,16]"), 8)},
      {"both beyond the data", with(w + "," + entry("v", "F32", "[2]", "[8,16]"), 8)},
      {"gap at the start", with(entry("w", "F32", "[1]", "[4,8]"), 8)},
      {"gap at the end", with(entry("w", "F32", "[1]", "[0,4]"), 8)},
      {"gap between", with(entry("a", "F32", "[1]", "[0,4]") + "," + entry("b", "F32", "[1]", "[8,12]"), 12)},
      {"overlap", with(entry("a", "F32", "[2]", "[0,8]") + "," + entry("b", "F32", "[2]", "[4,12]"), 12)},
      {"one inside another",
       with(entry("a", "F32", "[3]", "[0,12]") + "," + entry("b", "F32", "[1]", "[4,8]"), 12)},
      {"the same place twice", with(w + "," + entry("v", "F32", "[2]", "[0,8]"), 8)},
      {"empty tensor inside another", with(w + "," + entry("e", "F32", "[0]", "[4,4]"), 8)},
      {"empty tensor beyond the end", with(w + "," + entry("e", "F32", "[0]", "[9,9]"), 8)},
      {"data without tensors", file_of("{}", 8)},
      {"deep lists", with("\"w\":" + std::string(100000, '['), 0)},
      {"deep lists that close", with("\"w\":" + std::string(50000, '[') + std::string(50000, ']'), 0)},
      {"deep objects", file_of(
                           [] {
                             std::string deep;
                             for (int i = 0; i < 50000; ++i) deep += "{\"a\":";
                             return deep;
                           }(),
                           0)},
      {"deep shape", with(entry("w", "F32", "[[2]]", "[0,8]"), 8)},
      {"NaN", with(entry("w", "F32", "[NaN]", "[0,8]"), 8)},
      {"hexadecimal", with(entry("w", "F32", "[0x2]", "[0,8]"), 8)},
      {"exponent", with(entry("w", "F32", "[2e0]", "[0,8]"), 8)},
      {"leading zero", with(entry("w", "F32", "[02]", "[0,8]"), 8)},
      {"exponent out of range", with(entry("w", "F32", "[1e999]", "[0,8]"), 8)},
  };
  EXPECT_GE(cases.size(), 80u);
  for (const Case& c : cases) EXPECT_TRUE(refuses(c.bytes)) << c.why;
}

// Headers as large as they may be, made to cost: refused without taking much more memory than their own size.
TEST_F(Damage, LargeHeadersStayCheap) {
  const auto peak_mebibytes = [] {
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss / 1024;
  };
  const auto before = peak_mebibytes();
  const auto start = std::chrono::steady_clock::now();
  std::string numbers = "{\"w\":{\"dtype\":\"F32\",\"shape\":[1";
  while (numbers.size() < (16u << 20) - 10) numbers += ",1";
  EXPECT_TRUE(refuses(file_of(numbers + "]}}", 0)));
  std::string names = "{";
  for (int i = 0; names.size() < (16u << 20) - 30; ++i) names += fmt::format("\"{}\":[],", i);
  EXPECT_TRUE(refuses(file_of(names + "\"\":0}", 0)));
  EXPECT_TRUE(refuses(file_of("{\"" + std::string((16u << 20) - 10, 'a') + "\":0}", 0)));
  EXPECT_TRUE(refuses(file_of("{" + std::string(100u << 20, ' ') + "}", 0)));  // 100 MiB of header
  // A hang would be minutes.
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(60));
  EXPECT_LT(peak_mebibytes() - before, 800);
}

TEST(Json, ErrorsNameTheFileAndEscapeWhatTheyShow) {
  EXPECT_EQ(test::message_of<CheckpointError>([] { parse_json("{\"a\\n\":1,\"a\\n\":2}", "x.json"); }),
            "x.json: the key 'a\\n' occurs twice");
  EXPECT_EQ(shown("tab\tquote\""), "'tab\\tquote\\\"'");
  EXPECT_EQ(shown(std::string(200, 'a')).size(), 82u);
  EXPECT_THROW(parse_json(std::string(40, '['), "x"), CheckpointError);
  EXPECT_THROW(parse_json("[1,2,3]", "x", {.values = 2}), CheckpointError);
  EXPECT_THROW(parse_json("[1]", "x", {.bytes = 2}), CheckpointError);
  EXPECT_EQ(parse_json("{\"a\":{\"a\":1}}", "x")["a"]["a"], 1);
}

}  // namespace
}  // namespace roentgen::model
