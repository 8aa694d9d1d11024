#include "data/phantom.h"

#include <gmock/gmock.h>

#include <array>
#include <cmath>
#include <numeric>

#include "data/image_folder.h"
#include "tests/data/image_files.h"

namespace roentgen::data {
namespace {

constexpr std::array kinds = {PhantomKind::covid, PhantomKind::normal, PhantomKind::viral_pneumonia};

double mean(const Image& image) {
  return std::accumulate(image.pixels.begin(), image.pixels.end(), 0.0) /
         static_cast<double>(image.pixels.size());
}

TEST(Phantom, IsAPureFunctionOfItsArguments) {
  for (const PhantomKind kind : kinds) {
    const Image image = phantom(kind, 96, 3, 5);
    EXPECT_EQ(image.height, 96);
    EXPECT_EQ(image.width, 96);
    EXPECT_EQ(image.channels, 1);
    EXPECT_EQ(image.pixels, phantom(kind, 96, 3, 5).pixels);
    EXPECT_NE(image.pixels, phantom(kind, 96, 3, 6).pixels);
    EXPECT_NE(image.pixels, phantom(kind, 96, 4, 5).pixels);
  }
  EXPECT_NE(phantom(kinds[0], 96, 3, 5).pixels, phantom(kinds[1], 96, 3, 5).pixels);
}

TEST(Phantom, AnySize) {
  for (const int size : {32, 33, 100, 511})
    EXPECT_EQ(phantom(PhantomKind::covid, size, 0, 0).pixels.size(), static_cast<std::size_t>(size * size));
  EXPECT_THROW(phantom(PhantomKind::covid, 31, 0, 0), std::invalid_argument);
  EXPECT_THROW(phantom(PhantomKind::covid, 5000, 0, 0), std::invalid_argument);
}

// Neither black nor white, and brightness tells the classes apart by less than it varies within one.
TEST(Phantom, BrightnessIsNoShortcut) {
  constexpr int n = 60;
  std::array<double, 3> means = {}, deviations = {};
  for (std::size_t k = 0; k < 3; ++k) {
    double sum = 0, squares = 0;
    for (std::uint32_t i = 0; i < n; ++i) {
      const double m = mean(phantom(kinds[k], 64, 1, i));
      EXPECT_GT(m, 30) << i;
      EXPECT_LT(m, 225) << i;
      sum += m, squares += m * m;
    }
    means[k] = sum / n;
    deviations[k] = std::sqrt(squares / n - means[k] * means[k]);
  }
  for (std::size_t k = 0; k < 3; ++k) {
    EXPECT_GT(deviations[k], 10);
    EXPECT_LT(std::abs(means[k] - means[(k + 1) % 3]), deviations[k]);
  }
}

TEST(WritePhantoms, AreAnImageFolder) {
  const TempFolder dir;
  PhantomOptions options{.train_per_class = 3, .test_per_class = 2, .size = 48, .seed = 9, .workers = 2};
  std::int64_t calls = 0;
  options.progress = [&](std::int64_t, std::int64_t total) {
    ++calls;
    EXPECT_EQ(total, 15);
  };
  write_phantoms(dir / "p", options);
  EXPECT_EQ(calls, 15);
  options.progress = {};
  const ImageFolder train = load_split(dir / "p", Split::train), test = load_split(dir / "p", Split::test);
  EXPECT_THAT(train.classes, testing::ElementsAreArray(phantom_classes));
  EXPECT_THAT(train.class_counts(), testing::ElementsAre(3, 3, 3));
  EXPECT_THAT(test.class_counts(), testing::ElementsAre(2, 2, 2));
  const Image first = decode_image(train.samples[3].path);
  EXPECT_EQ(train.samples[3].name, "Normal/0000.png");
  EXPECT_EQ(first.source.channels, 1);
  const Image drawn = phantom(PhantomKind::normal, 48, 9, 0);
  for (std::size_t i = 0; i < drawn.pixels.size(); ++i) ASSERT_EQ(first.pixels[3 * i + 2], drawn.pixels[i]);

  EXPECT_THROW(write_phantoms(dir / "p", options), IoError);
  options.exist_ok = true;
  options.workers = 1;
  write_phantoms(dir / "p", options);
  EXPECT_EQ(load_split(dir / "p", Split::train).content_hash(), train.content_hash());

  // The test images do not depend on how many the training set has.
  options.train_per_class = 0;
  write_phantoms(dir / "q", options);
  EXPECT_EQ(load_split(dir / "q", Split::test).content_hash(), test.content_hash());
  EXPECT_FALSE(has_split(dir / "q", Split::train));
}

TEST(WritePhantoms, SaysWhatIsWrong) {
  const TempFolder dir;
  write_bytes(dir / "file", {1});
  EXPECT_THROW(write_phantoms(dir / "file" / "x", {.train_per_class = 1}), IoError);
  EXPECT_THROW(write_phantoms(dir / "x", {.train_per_class = -1}), std::invalid_argument);
  EXPECT_THROW(write_phantoms(dir / "x", {.size = 10}), std::invalid_argument);
}

}  // namespace
}  // namespace roentgen::data
