// Data set and loader: the same batches in memory and streaming, with any number of workers, from any batch
// on.
#include "data/loader.h"

#include <gmock/gmock.h>

#include <numeric>
#include <thread>

#include "data/sampler.h"
#include "tests/data/image_files.h"

namespace roentgen::data {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr int files = 37;

// PNG and JPEG files of different sizes in three classes.
class LoaderTest : public testing::Test {
 protected:
  LoaderTest() {
    for (int i = 0; i < files; ++i) {
      Image image = rough(20 + i % 7, 30 - i % 5);
      image.pixels[0] = static_cast<std::uint8_t>(i);
      write_bytes(file(i), i % 4 == 0 ? encode_jpeg(image) : encode_png(image));
    }
  }
  fs::path file(int i) const {
    return dir_ / fs::path(std::to_string(i % 3)) / (std::to_string(100 + i) + ".img");
  }
  ImageFolder folder(OnBadImage policy = OnBadImage::error) const {
    return load_split(dir_.path(), Split::train, policy);
  }
  Dataset dataset(bool in_memory, OnBadImage policy = OnBadImage::error) const {
    DatasetOptions options{.height = 16, .width = 12, .on_bad_image = policy};
    if (!in_memory) options.memory_budget = 0;
    return Dataset(folder(policy), options);
  }

  TempFolder dir_;
};

struct CopiedBatch {
  std::int64_t number, count;
  Bytes images;
  std::vector<std::int32_t> labels;
  std::vector<std::int64_t> samples;
  bool operator==(const CopiedBatch&) const = default;
};

std::vector<CopiedBatch> all_batches(Loader& loader) {
  std::vector<CopiedBatch> result;
  while (const std::optional<Batch> batch = loader.next()) {
    result.push_back({batch->number, batch->count, Bytes(batch->images.begin(), batch->images.end()),
                      batch->labels, batch->samples});
  }
  return result;
}

TEST_F(LoaderTest, DatasetDecodesAndResizes) {
  const Dataset memory = dataset(true), stream = dataset(false);
  EXPECT_TRUE(memory.in_memory());
  EXPECT_FALSE(stream.in_memory());
  EXPECT_EQ(memory.pixels().size(), files * 16u * 12 * 3);
  EXPECT_TRUE(stream.pixels().empty());
  Bytes a(16 * 12 * 3), b = a;
  for (std::int64_t i = 0; i < files; ++i) {
    memory.read(i, a);
    stream.read(i, b);
    EXPECT_EQ(a, b);
    EXPECT_EQ(a, resize(decode_image(memory.folder().samples[static_cast<std::size_t>(i)].path), 16, 12,
                        Resize::antialias)
                     .pixels);
  }
  EXPECT_THROW(memory.read(files, a), std::invalid_argument);
  EXPECT_THROW(memory.read(-1, a), std::invalid_argument);
  Bytes small(5);
  EXPECT_THROW(stream.read(0, small), std::invalid_argument);
  EXPECT_THROW(Dataset(folder(), {.height = 0}), std::invalid_argument);
}

TEST_F(LoaderTest, BudgetDecidesExactly) {
  const std::int64_t need = files * 16 * 12 * 3;
  EXPECT_TRUE(Dataset(folder(), {.height = 16, .width = 12, .memory_budget = need}).in_memory());
  EXPECT_FALSE(Dataset(folder(), {.height = 16, .width = 12, .memory_budget = need - 1}).in_memory());
}

TEST_F(LoaderTest, ProgressCountsAndMayStop) {
  std::vector<std::int64_t> seen;
  const Dataset whole(folder(), {.workers = 3, .progress = [&](std::int64_t done, std::int64_t total) {
                                   EXPECT_EQ(total, files);
                                   seen.push_back(done);
                                 }});
  std::vector<std::int64_t> expected(files);
  std::iota(expected.begin(), expected.end(), 1);
  EXPECT_EQ(seen, expected);
  EXPECT_THROW(Dataset(folder(), {.workers = 3,
                                  .progress =
                                      [](std::int64_t done, std::int64_t) {
                                        if (done == 5) throw std::length_error("stop");
                                      }}),
               std::length_error);
}

TEST_F(LoaderTest, SameBatchesWhateverTheWorkers) {
  const Dataset memory = dataset(true), stream = dataset(false);
  for (const bool shuffled : {false, true}) {
    const std::vector<std::int64_t> order = epoch_order(files, 1, 2, shuffled);
    Loader reference(memory, {.batch_size = 8});
    reference.start_epoch(order);
    EXPECT_EQ(reference.batches(), 5);
    const std::vector<CopiedBatch> expected = all_batches(reference);
    ASSERT_EQ(expected.size(), 5u);
    EXPECT_EQ(expected.back().count, 5);
    EXPECT_EQ(expected.back().images.size(), 5u * 16 * 12 * 3);
    for (std::int64_t i = 0; i < files; ++i) {
      const CopiedBatch& batch = expected[static_cast<std::size_t>(i / 8)];
      const auto at = static_cast<std::size_t>(i % 8);
      const std::int64_t sample = order[static_cast<std::size_t>(i)];
      EXPECT_EQ(batch.samples[at], sample);
      EXPECT_EQ(batch.labels[at], memory.labels()[static_cast<std::size_t>(sample)]);
      Bytes pixels(16 * 12 * 3);
      memory.read(sample, pixels);
      EXPECT_TRUE(std::equal(pixels.begin(), pixels.end(),
                             batch.images.begin() + static_cast<std::ptrdiff_t>(at * pixels.size())));
    }
    for (const int workers : {1, 2, 4}) {
      for (const int prefetch : {0, 1, 3, 20}) {
        Loader loader(stream, {.batch_size = 8, .workers = workers, .prefetch = prefetch});
        for (int epoch = 0; epoch < 2; ++epoch) {
          loader.start_epoch(order);
          EXPECT_EQ(all_batches(loader), expected) << workers << " " << prefetch;
          EXPECT_FALSE(loader.next());
        }
      }
    }
  }
}

TEST_F(LoaderTest, StartsInMidEpoch) {
  const Dataset memory = dataset(true), stream = dataset(false);
  const std::vector<std::int64_t> order = epoch_order(files, 3, 0, true);
  Loader whole(memory, {.batch_size = 4});
  whole.start_epoch(order);
  const std::vector<CopiedBatch> all = all_batches(whole);
  for (const Dataset* dataset : {&memory, &stream}) {
    Loader loader(*dataset, {.batch_size = 4, .workers = 2});
    for (std::int64_t first = 0; first <= 11; ++first) {
      loader.start_epoch(order, first);
      const auto begin = all.begin() + std::min<std::ptrdiff_t>(first, 10);
      EXPECT_EQ(all_batches(loader), std::vector<CopiedBatch>(begin, all.end())) << first;
      // Left in the middle: what is under way must not get into the next epoch.
      loader.start_epoch(order, std::min<std::int64_t>(first, 8));
      EXPECT_TRUE(loader.next());
    }
  }
}

TEST_F(LoaderTest, ConsecutiveSamplesAreNotCopied) {
  const Dataset memory = dataset(true);
  Loader loader(memory, {.batch_size = 10});
  loader.start_epoch(epoch_order(files, 0, 0, false), 1);
  EXPECT_EQ(loader.next()->images.data(), memory.pixels().data() + 10 * memory.image_bytes());
}

TEST_F(LoaderTest, OrdersMayRepeatAndBeShort) {
  const Dataset stream = dataset(false);
  Loader loader(stream, {.batch_size = 3, .workers = 2});
  loader.start_epoch({5, 5, 5, 2});
  const std::vector<CopiedBatch> batches = all_batches(loader);
  ASSERT_EQ(batches.size(), 2u);
  EXPECT_THAT(batches[0].samples, ElementsAre(5, 5, 5));
  EXPECT_THAT(batches[1].samples, ElementsAre(2));
  loader.start_epoch({});
  EXPECT_FALSE(loader.next());
  EXPECT_THROW(loader.start_epoch({files}), std::invalid_argument);
  EXPECT_THROW(loader.start_epoch({0}, -1), std::invalid_argument);
  EXPECT_THROW(Loader(stream, {.batch_size = 0}), std::invalid_argument);
  EXPECT_THROW(Loader(stream, {.prefetch = -1}), std::invalid_argument);
  EXPECT_THROW(Loader(stream, {.workers = -1}), std::invalid_argument);
}

TEST_F(LoaderTest, NothingStartedIsNoBatch) {
  const Dataset stream = dataset(false);
  Loader loader(stream, {});
  EXPECT_FALSE(loader.next());
  EXPECT_EQ(loader.wait_seconds(), 0);
}

TEST_F(LoaderTest, BrokenFilesEndOrAreSkipped) {
  const Bytes cut = prefix(encode_png(rough(30, 30)), 1000);
  write_bytes(file(7), cut);   // class 1
  write_bytes(file(31), cut);  // class 1
  write_bytes(file(3), cut);   // class 0: the first in order
  EXPECT_THAT(data_error([&] { dataset(true); }), HasSubstr("103.img': the PNG is truncated"));
  Dataset stream = dataset(false);
  Loader loader(stream, {.batch_size = 8, .workers = 3});
  loader.start_epoch(epoch_order(files, 0, 0, false));
  EXPECT_THAT(data_error([&] { all_batches(loader); }), HasSubstr("103.img"));
  EXPECT_FALSE(loader.next());

  for (const bool in_memory : {true, false}) {
    const Dataset rest = dataset(in_memory, OnBadImage::skip);
    EXPECT_EQ(rest.size(), files - 3);
    EXPECT_EQ(rest.labels().size(), files - 3u);
    ASSERT_EQ(rest.folder().skipped.size(), 3u);
    EXPECT_EQ(rest.folder().skipped[0].name, "0/103.img");
    EXPECT_THAT(rest.folder().skipped[2].reason, HasSubstr("131.img': the PNG is truncated"));
    Bytes pixels(16 * 12 * 3);
    for (std::int64_t i = 0; i < rest.size(); ++i) {
      rest.read(i, pixels);
      EXPECT_EQ(pixels, resize(decode_image(rest.folder().samples[static_cast<std::size_t>(i)].path), 16, 12,
                               Resize::antialias)
                            .pixels);
    }
  }
  for (int i = 0; i < files; i += 3) write_bytes(file(i), cut);
  EXPECT_THAT(data_error([&] { dataset(true, OnBadImage::skip); }), HasSubstr("the class '0'"));
}

TEST_F(LoaderTest, FileThatVanishesOrChangesInMidEpoch) {
  const Dataset stream = dataset(false);
  for (const int workers : {1, 3}) {
    Loader loader(stream, {.batch_size = 2, .workers = workers, .prefetch = 1});
    loader.start_epoch(epoch_order(files, 0, 0, false));
    EXPECT_TRUE(loader.next());
    const fs::path late = stream.folder().samples[30].path, away = dir_ / "away";
    fs::rename(late, away);
    EXPECT_THAT(data_error([&] { all_batches(loader); }),
                HasSubstr(late.filename().string() + "': No such file"));
    write_bytes(late, encode_png(rough(9, 9)));
    loader.start_epoch(epoch_order(files, 0, 0, false));
    EXPECT_THAT(data_error([&] { all_batches(loader); }), HasSubstr("it changed since"));
    fs::rename(away, late);
    loader.start_epoch(epoch_order(files, 0, 0, false));  // and the loader goes on after an error
    EXPECT_EQ(all_batches(loader).size(), 19u);
  }
}

TEST_F(LoaderTest, EndsWhileItsThreadsWork) {
  const Dataset stream = dataset(false);
  for (int i = 0; i < 20; ++i) {
    Loader loader(stream, {.batch_size = 5, .workers = 4});
    loader.start_epoch(epoch_order(files, 0, 0, true));
    if (i % 2) {
      EXPECT_TRUE(loader.next());
    }
  }
}

TEST_F(LoaderTest, WaitIsCounted) {
  const Dataset stream = dataset(false);
  Loader loader(stream, {.batch_size = files, .workers = 1});
  loader.start_epoch(epoch_order(files, 0, 0, true));
  EXPECT_TRUE(loader.next());
  EXPECT_GT(loader.wait_seconds(), 0);
}

}  // namespace
}  // namespace roentgen::data
