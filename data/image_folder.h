// A data set on disk: DIR/{train,test}/CLASS/* or DIR/CLASS/*.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace roentgen::data {

// What to do with a file that is no image or is broken.
enum class OnBadImage { error, skip };

struct Sample {
  std::filesystem::path path;  // as it is opened
  std::string name;            // relative to the class folders' parent, "CLASS/FILE", as it is reported
  int label = 0;               // index into the folder's classes
  std::uint64_t hash = 0;      // XXH3-64 of the file's bytes
  std::uint64_t bytes = 0;     // the file's size
};

struct SkippedFile {
  std::string name;    // as Sample::name
  std::string reason;  // the sentence of the error that it would have been
};

struct ImageFolder {
  std::filesystem::path root;        // the class folders' parent
  std::vector<std::string> classes;  // in byte order of their names
  std::vector<Sample> samples;       // by label, then by name in byte order
  std::vector<SkippedFile> skipped;  // only with OnBadImage::skip

  std::vector<std::int32_t> labels() const;
  std::vector<std::int64_t> class_counts() const;  // samples per class
  // XXH3-64 over classes, names, labels and contents: the same wherever the folder lies.
  std::uint64_t content_hash() const;
};

enum class Split { train, test };

// True if `dir` is laid out as DIR/{train,test}/CLASS/* and holds that split.
bool has_split(const std::filesystem::path& dir, Split split);

// Lists and hashes (with `workers` threads, 0 for all cores) DIR/train or DIR/test where `dir` holds either,
// else DIR itself. Sub-folders of a class belong to it; each real folder is visited once, so links in a
// circle end. Hidden names (a leading dot) are ignored. Throws DataError for a missing folder, a folder
// without classes, an empty class, and, unless `on_bad_image` is skip, a file that cannot be read or is no
// image by its first bytes.
ImageFolder load_split(const std::filesystem::path& dir, Split split,
                       OnBadImage on_bad_image = OnBadImage::error, int workers = 0);

enum class MissingClass { error, allow };

// Relabels `folder` to the positions of its class names in `names`, whatever the order of either. Throws
// DataError that lists the classes of the folder that `names` lacks, or, unless allowed, those of `names` it
// lacks.
ImageFolder match_classes(ImageFolder folder, std::span<const std::string> names,
                          MissingClass missing = MissingClass::error);

// The samples at `indices`, in that order, with the same classes. Throws std::invalid_argument if out of
// range.
ImageFolder subset(const ImageFolder& folder, std::span<const std::int64_t> indices);

}  // namespace roentgen::data
