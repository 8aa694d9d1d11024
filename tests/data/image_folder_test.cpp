#include "data/image_folder.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include "tests/data/image_files.h"

namespace roentgen::data {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

// A PNG of which each number gives another.
Bytes small_png(int number) {
  Image image = rough(4, 4, 1);
  image.pixels[0] = static_cast<std::uint8_t>(number);
  return encode_png(image);
}

void add(const TempFolder& folder, const fs::path& name, int number = 0) {
  write_bytes(folder / name, small_png(number));
}

std::vector<std::string> names(const ImageFolder& folder) {
  std::vector<std::string> result;
  for (const Sample& sample : folder.samples) result.push_back(sample.name);
  return result;
}

TEST(ImageFolder, PlainClassFolders) {
  const TempFolder dir;
  add(dir, "b/2.png"), add(dir, "b/10.png"), add(dir, "a/x.png", 1), add(dir, "c/d/e.png"),
      add(dir, "c/a.png");
  write_bytes(dir / "README.md", {'h', 'i'});
  for (const Split split : {Split::train, Split::test}) {
    const ImageFolder folder = load_split(dir.path(), split);
    EXPECT_THAT(folder.classes, ElementsAre("a", "b", "c"));
    EXPECT_THAT(names(folder), ElementsAre("a/x.png", "b/10.png", "b/2.png", "c/a.png", "c/d/e.png"));
    EXPECT_THAT(folder.labels(), ElementsAre(0, 1, 1, 2, 2));
    EXPECT_THAT(folder.class_counts(), ElementsAre(1, 2, 2));
    EXPECT_EQ(folder.samples[1].hash, folder.samples[2].hash);
    EXPECT_NE(folder.samples[0].hash, folder.samples[1].hash);
    EXPECT_EQ(folder.samples[0].bytes, small_png(1).size());
    EXPECT_EQ(folder.samples[0].path, dir / "a/x.png");
  }
}

// "A-1" sorts before "A/" as a path, but the class A before the class A-1 as a name.
TEST(ImageFolder, ClassesSortByNameInBytes) {
  const TempFolder dir;
  for (const char* name : {"A-1", "A", "a", "B", "Ä", "10", "9"}) add(dir, fs::path(name) / "1.png");
  const ImageFolder folder = load_split(dir.path(), Split::train);
  EXPECT_THAT(folder.classes, ElementsAre("10", "9", "A", "A-1", "B", "a", "Ä"));
  EXPECT_THAT(folder.labels(), ElementsAre(0, 1, 2, 3, 4, 5, 6));
}

TEST(ImageFolder, TrainAndTest) {
  const TempFolder dir;
  add(dir, "train/a/1.png"), add(dir, "train/b/1.png"), add(dir, "other/c/1.png");
  EXPECT_TRUE(has_split(dir.path(), Split::train));
  EXPECT_FALSE(has_split(dir.path(), Split::test));
  EXPECT_THAT(names(load_split(dir.path(), Split::train)), ElementsAre("a/1.png", "b/1.png"));
  EXPECT_THAT(data_error([&] { load_split(dir.path(), Split::test); }), HasSubstr("none named 'test'"));
  add(dir, "test/b/7.png");
  EXPECT_TRUE(has_split(dir.path(), Split::test));
  EXPECT_THAT(names(load_split(dir.path(), Split::test)), ElementsAre("b/7.png"));
  EXPECT_THAT(names(load_split(dir / "test", Split::train)), ElementsAre("b/7.png"));
}

TEST(ImageFolder, AClassMayBeCalledTrain) {
  const TempFolder dir;
  add(dir, "train/1.png"), add(dir, "ship/1.png");
  EXPECT_FALSE(has_split(dir.path(), Split::train));
  EXPECT_THAT(load_split(dir.path(), Split::train).classes, ElementsAre("ship", "train"));
}

TEST(ImageFolder, HiddenNamesAreIgnored) {
  const TempFolder dir;
  add(dir, "a/1.png"), add(dir, ".git/1.png"), add(dir, "a/.cache/1.png");
  write_bytes(dir / "a/.DS_Store", {1, 2, 3});
  EXPECT_THAT(names(load_split(dir.path(), Split::train)), ElementsAre("a/1.png"));
}

TEST(ImageFolder, OddNames) {
  const TempFolder dir;
  const std::vector<std::string> odd = {"<script>alert(1)", "a'b",     "a;rm -rf b", "new\nline",
                                        "naïve 肺",         "quote\"", "$(id)",      "100%{}"};
  for (const std::string& name : odd) add(dir, fs::path(name) / (name + ".png"));
  const ImageFolder folder = load_split(dir.path(), Split::train);
  EXPECT_EQ(folder.classes.size(), odd.size());
  for (const Sample& sample : folder.samples) {
    const std::string& name = folder.classes[static_cast<std::size_t>(sample.label)];
    EXPECT_EQ(sample.name, name + "/" + name + ".png");
  }
  fs::create_directory(dir / "x\ny{}");
  EXPECT_THAT(data_error([&] { load_split(dir.path(), Split::train); }), HasSubstr("the class 'x\\x0ay{}'"));
}

TEST(ImageFolder, NothingThere) {
  const TempFolder dir;
  EXPECT_THAT(data_error([&] { load_split(dir / "none", Split::train); }), HasSubstr("does not exist"));
  EXPECT_THAT(data_error([&] { load_split(dir.path(), Split::train); }),
              HasSubstr("expected are CLASS/IMAGE"));
  add(dir, "1.png");
  EXPECT_THAT(data_error([&] { load_split(dir.path(), Split::train); }),
              HasSubstr("expected are CLASS/IMAGE"));
  EXPECT_THAT(data_error([&] { load_split(dir / "1.png", Split::train); }), HasSubstr("is no folder"));
}

TEST(ImageFolder, EmptyClassIsNamed) {
  const TempFolder dir;
  add(dir, "a/1.png");
  fs::create_directories(dir / "empty one/below");
  EXPECT_THAT(data_error([&] { load_split(dir.path(), Split::train); }), HasSubstr("the class 'empty one'"));
}

TEST(ImageFolder, WhatIsNoImage) {
  const TempFolder dir;
  add(dir, "a/1.png"), add(dir, "a/3.png"), add(dir, "b/1.png");
  write_bytes(dir / "a/2.txt", {'h', 'i'});
  write_bytes(dir / "a/4.png", {});
  fs::create_symlink("nowhere", dir / "a/5.png");
  fs::create_symlink("6.png", dir / "a/6.png");
  ASSERT_EQ(mkfifo((dir / "a/7.png").c_str(), 0600), 0);
  for (const int workers : {1, 4}) {
    EXPECT_THAT(data_error([&] { load_split(dir.path(), Split::train, OnBadImage::error, workers); }),
                HasSubstr("a/2.txt"));
    const ImageFolder folder = load_split(dir.path(), Split::train, OnBadImage::skip, workers);
    EXPECT_THAT(names(folder), ElementsAre("a/1.png", "a/3.png", "b/1.png"));
    ASSERT_EQ(folder.skipped.size(), 5u);
    EXPECT_EQ(folder.skipped[0].name, "a/2.txt");
    EXPECT_THAT(folder.skipped[0].reason, HasSubstr("no image"));
    EXPECT_THAT(folder.skipped[1].reason, HasSubstr("it is empty"));
    EXPECT_THAT(folder.skipped[2].reason, HasSubstr("No such file"));
  }
  write_bytes(dir / "b/1.png", {'h', 'i'});
  EXPECT_THAT(data_error([&] { load_split(dir.path(), Split::train, OnBadImage::skip); }),
              HasSubstr("the class 'b'"));
}

TEST(ImageFolder, UnreadableFile) {
  if (geteuid() == 0) GTEST_SKIP() << "root reads everything";
  const TempFolder dir;
  add(dir, "a/1.png");
  fs::permissions(dir / "a/1.png", fs::perms::none);
  EXPECT_THAT(data_error([&] { load_split(dir.path(), Split::train); }), HasSubstr("Permission denied"));
}

TEST(ImageFolder, LinksInACircleEnd) {
  const TempFolder dir;
  add(dir, "a/1.png"), add(dir, "b/1.png"), add(dir, "b/sub/2.png"), add(dir, "elsewhere/x/3.png");
  fs::create_directory_symlink("..", dir / "a/up");  // would make a hold b's images
  fs::create_directory_symlink(dir.path().parent_path(), dir / "a/far up");
  fs::create_directory_symlink("..", dir / "b/sub/back");
  fs::create_directory_symlink("sub", dir / "b/twin");     // the same folder by another name
  fs::create_directory_symlink("elsewhere/x", dir / "c");  // a class may be a link
  fs::create_directory_symlink("loop", dir / "loop");
  fs::create_directory_symlink(".", dir / "all");  // no class: it would hold every other one's images
  const ImageFolder folder = load_split(dir.path(), Split::train);
  EXPECT_THAT(folder.classes, ElementsAre("a", "b", "c", "elsewhere"));
  EXPECT_THAT(names(folder),
              ElementsAre("a/1.png", "b/1.png", "b/sub/2.png", "c/3.png", "elsewhere/x/3.png"));
}

TEST(ImageFolder, ContentHashIsThatOfTheContent) {
  const TempFolder one, two;
  for (const TempFolder* dir : {&one, &two}) add(*dir, "a/1.png", 1), add(*dir, "b/2.png", 2);
  const std::uint64_t hash = load_split(one.path(), Split::train).content_hash();
  EXPECT_EQ(hash, load_split(two.path(), Split::train).content_hash());
  add(two, "b/2.png", 3);
  EXPECT_NE(hash, load_split(two.path(), Split::train).content_hash());
  add(two, "b/2.png", 2);
  EXPECT_EQ(hash, load_split(two.path(), Split::train).content_hash());
  fs::rename(two / "b", two / "c");
  EXPECT_NE(hash, load_split(two.path(), Split::train).content_hash());
}

TEST(MatchClasses, ByNameNotByPosition) {
  const TempFolder dir;
  add(dir, "a/1.png"), add(dir, "b/2.png"), add(dir, "b/3.png");
  const ImageFolder folder = load_split(dir.path(), Split::test);
  const std::vector<std::string> swapped = {"b", "a"}, more = {"0", "a", "b"}, fewer = {"b"};
  const ImageFolder matched = match_classes(folder, swapped);
  EXPECT_THAT(matched.classes, ElementsAre("b", "a"));
  EXPECT_THAT(names(matched), ElementsAre("b/2.png", "b/3.png", "a/1.png"));
  EXPECT_THAT(matched.labels(), ElementsAre(0, 0, 1));

  EXPECT_THAT(data_error([&] { match_classes(folder, more); }), HasSubstr("lacks the class '0'"));
  EXPECT_THAT(match_classes(folder, more, MissingClass::allow).labels(), ElementsAre(1, 2, 2));
  EXPECT_THAT(data_error([&] { match_classes(folder, fewer, MissingClass::allow); }),
              HasSubstr("the class 'a'"));
}

TEST(Subset, KeepsClassesAndOrder) {
  const TempFolder dir;
  add(dir, "a/1.png"), add(dir, "b/2.png"), add(dir, "b/3.png");
  const ImageFolder folder = load_split(dir.path(), Split::test);
  const std::vector<std::int64_t> picked = {2, 1}, wrong = {3};
  EXPECT_THAT(names(subset(folder, picked)), ElementsAre("b/3.png", "b/2.png"));
  EXPECT_THAT(subset(folder, picked).classes, ElementsAre("a", "b"));
  EXPECT_THROW(subset(folder, wrong), std::invalid_argument);
}

}  // namespace
}  // namespace roentgen::data
