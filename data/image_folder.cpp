#include "data/image_folder.h"

#include <fmt/core.h>
#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <iterator>
#include <optional>
#include <set>
#include <stdexcept>

#include "data/decode.h"
#include "data/error.h"
#include "data/file.h"
#include "data/parallel.h"
#include "data/skip.h"

namespace roentgen::data {
namespace {

namespace fs = std::filesystem;

// The visible entries of `dir` in byte order.
std::vector<fs::path> visible_entries(const fs::path& dir) {
  std::vector<fs::path> entries;
  std::error_code error;
  for (fs::directory_iterator it(dir, error), end; !error && it != end; it.increment(error)) {
    if (it->path().filename().native().front() != '.') entries.push_back(it->path());
  }
  if (error) throw DataError(fmt::format("cannot list the folder '{}': {}", printable(dir), error.message()));
  std::sort(entries.begin(), entries.end(),
            [](const fs::path& a, const fs::path& b) { return a.native() < b.native(); });
  return entries;
}

bool is_folder(const fs::path& path) {
  std::error_code error;
  return fs::is_directory(path, error);
}

bool contains(const fs::path& outer, const fs::path& inner) {
  return std::mismatch(outer.begin(), outer.end(), inner.begin(), inner.end()).first == outer.end();
}

// The folders in `dir`, without links up to one that holds `dir`: such a class would hold all the others.
std::vector<fs::path> class_folders(const fs::path& dir) {
  std::vector<fs::path> folders = visible_entries(dir);
  std::error_code error;
  const fs::path real = fs::canonical(dir, error);
  std::erase_if(folders, [&](const fs::path& path) {
    return !is_folder(path) || contains(fs::canonical(path, error), real);
  });
  return folders;
}

// Appends the files under `dir`, a class's folder or a folder in it. A link up to a folder that holds the
// class would make it swallow the other classes, and one visited before would never end.
void collect_files(const fs::path& dir, const fs::path& class_folder, std::set<fs::path>& visited,
                   std::vector<fs::path>& files) {
  std::error_code error;
  const fs::path real = fs::canonical(dir, error);
  if (error) throw DataError(fmt::format("cannot open the folder '{}': {}", printable(dir), error.message()));
  if (dir != class_folder && contains(real, fs::canonical(class_folder, error))) return;
  if (!visited.insert(real).second) return;
  for (const fs::path& entry : visible_entries(dir)) {
    if (is_folder(entry)) {
      collect_files(entry, class_folder, visited, files);
    } else {
      files.push_back(entry);
    }
  }
}

// Fills in hash and size. Throws DataError if the file cannot be read or is no image by its first bytes.
void inspect(Sample& sample) {
  const std::vector<std::uint8_t> bytes = read_file(sample.path);
  if (sniff_format(bytes) == ImageFormat::unknown) {
    throw DataError(fmt::format("cannot use the image '{}': {}", printable(sample.path), what_it_is(bytes)));
  }
  sample.hash = XXH3_64bits(bytes.data(), bytes.size());
  sample.bytes = bytes.size();
}

std::string quoted_list(const std::vector<std::string>& names) {
  std::string list;
  for (const std::string& name : names) {
    list += fmt::format("{}'{}'", list.empty() ? "" : ", ", printable(std::string_view(name)));
  }
  return list;
}

std::string_view folder_name(Split split) {
  return split == Split::train ? "train" : "test";
}

fs::path classes_parent(const fs::path& dir, Split split) {
  const Split other = split == Split::train ? Split::test : Split::train;
  if (has_split(dir, split)) return dir / folder_name(split);
  if (!has_split(dir, other)) return dir;
  throw DataError(fmt::format("'{}' has a folder '{}' but none named '{}' with class folders in it",
                              printable(dir), folder_name(other), folder_name(split)));
}

}  // namespace

std::vector<std::int32_t> ImageFolder::labels() const {
  std::vector<std::int32_t> result;
  result.reserve(samples.size());
  for (const Sample& sample : samples) result.push_back(sample.label);
  return result;
}

std::vector<std::int64_t> ImageFolder::class_counts() const {
  std::vector<std::int64_t> counts(classes.size());
  for (const Sample& sample : samples) ++counts[static_cast<std::size_t>(sample.label)];
  return counts;
}

std::uint64_t ImageFolder::content_hash() const {
  std::string text;
  for (const std::string& name : classes) text.append(name).push_back('\0');
  for (const Sample& sample : samples) {
    text += fmt::format("{}{}{:016x}{}{}", sample.name, '\0', sample.hash, sample.label, '\0');
  }
  return XXH3_64bits(text.data(), text.size());
}

bool has_split(const fs::path& dir, Split split) {
  const fs::path folder = dir / folder_name(split);
  return is_folder(folder) && !class_folders(folder).empty();
}

namespace {

DataError empty_class(const ImageFolder& folder, std::size_t label, const std::string& but) {
  return DataError(fmt::format("the class '{}' in '{}' holds no images{}; add some or remove its folder",
                               printable(std::string_view(folder.classes[label])), printable(folder.root),
                               but));
}

}  // namespace

ImageFolder load_split(const fs::path& dir, Split split, OnBadImage on_bad_image, int workers) {
  if (!is_folder(dir)) {
    throw DataError(fmt::format("the data folder '{}' does not exist or is no folder", printable(dir)));
  }
  ImageFolder folder;
  folder.root = classes_parent(dir, split);
  for (const fs::path& class_folder : class_folders(folder.root)) {
    std::vector<fs::path> files;
    std::set<fs::path> visited;
    collect_files(class_folder, class_folder, visited, files);
    const auto first = static_cast<std::ptrdiff_t>(folder.samples.size());
    for (fs::path& file : files) {
      Sample sample;
      sample.name = file.native().substr((folder.root / "").native().size());
      sample.path = std::move(file);
      sample.label = static_cast<int>(folder.classes.size());
      folder.samples.push_back(std::move(sample));
    }
    std::sort(folder.samples.begin() + first, folder.samples.end(),
              [](const Sample& a, const Sample& b) { return a.name < b.name; });
    folder.classes.push_back(class_folder.filename().native());
  }
  if (folder.samples.empty()) {
    throw DataError(
        fmt::format("found no images under '{}'; expected are CLASS/IMAGE or {{train,test}}/CLASS/IMAGE",
                    printable(dir)));
  }
  const std::vector<std::int64_t> counts = folder.class_counts();
  for (std::size_t label = 0; label < counts.size(); ++label) {
    if (counts[label] == 0) throw empty_class(folder, label, "");
  }

  std::vector<std::optional<std::string>> bad(folder.samples.size());
  parallel_for(static_cast<std::int64_t>(folder.samples.size()), workers, [&](std::int64_t i) {
    try {
      inspect(folder.samples[static_cast<std::size_t>(i)]);
    } catch (const DataError& error) {
      if (on_bad_image == OnBadImage::error) throw not_skipped(error);
      bad[static_cast<std::size_t>(i)] = error.what();
    }
  });
  remove_bad(folder, bad);
  return folder;
}

DataError not_skipped(const DataError& why) {
  return DataError(fmt::format("{}; replace or remove it, or pass --on-bad-image skip", why.what()));
}

void remove_bad(ImageFolder& folder, const std::vector<std::optional<std::string>>& bad) {
  const std::vector<std::int64_t> before = folder.class_counts();
  std::vector<Sample> good;
  for (std::size_t i = 0; i < bad.size(); ++i) {
    if (bad[i]) {
      folder.skipped.push_back({std::move(folder.samples[i].name), *bad[i]});
    } else {
      good.push_back(std::move(folder.samples[i]));
    }
  }
  folder.samples = std::move(good);
  const std::vector<std::int64_t> counts = folder.class_counts();
  for (std::size_t label = 0; label < counts.size(); ++label) {
    if (counts[label] == 0 && before[label] > 0) {
      throw empty_class(folder, label, fmt::format(" but {} broken ones, which were skipped", before[label]));
    }
  }
}

ImageFolder match_classes(ImageFolder folder, std::span<const std::string> names, MissingClass missing) {
  std::vector<std::int32_t> new_label;
  std::vector<std::string> unknown, lacking;
  for (const std::string& name : folder.classes) {
    const auto at = std::find(names.begin(), names.end(), name);
    if (at == names.end()) unknown.push_back(name);
    new_label.push_back(static_cast<std::int32_t>(at - names.begin()));
  }
  for (const std::string& name : names) {
    if (std::find(folder.classes.begin(), folder.classes.end(), name) == folder.classes.end()) {
      lacking.push_back(name);
    }
  }
  const std::vector<std::string> known(names.begin(), names.end());
  if (!unknown.empty()) {
    throw DataError(
        fmt::format("'{}' holds the class {}, which is not among the known {}; rename or remove it",
                    printable(folder.root), quoted_list(unknown), quoted_list(known)));
  }
  if (!lacking.empty() && missing == MissingClass::error) {
    throw DataError(fmt::format("'{}' lacks the class {}, expected are {}", printable(folder.root),
                                quoted_list(lacking), quoted_list(known)));
  }
  for (Sample& sample : folder.samples) sample.label = new_label[static_cast<std::size_t>(sample.label)];
  std::sort(folder.samples.begin(), folder.samples.end(), [](const Sample& a, const Sample& b) {
    return a.label != b.label ? a.label < b.label : a.name < b.name;
  });
  folder.classes = known;
  return folder;
}

ImageFolder subset(const ImageFolder& folder, std::span<const std::int64_t> indices) {
  ImageFolder result{folder.root, folder.classes, {}, {}};
  for (const std::int64_t i : indices) {
    if (i < 0 || i >= static_cast<std::int64_t>(folder.samples.size())) {
      throw std::invalid_argument(fmt::format("subset: index {} of {} samples", i, folder.samples.size()));
    }
    result.samples.push_back(folder.samples[static_cast<std::size_t>(i)]);
  }
  return result;
}

}  // namespace roentgen::data
