// SPDX-License-Identifier: Apache-2.0
#include "cli/source_folder.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <string>
#include <string_view>
#include <system_error>

#include "base/file.h"
#include "base/text.h"
#include "cli/ignore_pattern.h"
#include "cli/output.h"

namespace slipway::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 5> kNoSources = {".azureml", ".git", ".ipynb_checkpoints",
                                                        "__pycache__", "aml_config"};
constexpr std::int64_t kIgnoreFileBytes = 1 << 20;
constexpr std::size_t kFilesMax = 10'000;
constexpr std::int64_t kBytesMax = std::int64_t{1} << 30;

using Patterns = std::vector<IgnorePattern>;

Result<Patterns> ReadPatterns(const fs::path& file) {
  Patterns patterns;
  std::error_code error;
  if (!fs::is_regular_file(file, error)) return patterns;
  const std::string text = TRY(ReadFile(file, kIgnoreFileBytes));
  constexpr std::string_view kMark = "\xEF\xBB\xBF";
  std::string_view rest = text;
  if (rest.starts_with(kMark)) rest.remove_prefix(kMark.size());
  for (const std::string& line : Split(rest, '\n')) {
    std::string_view one = line;
    if (one.ends_with('\r')) one.remove_suffix(1);
    if (auto pattern = IgnorePattern::Parse(one)) patterns.push_back(*std::move(pattern));
  }
  return patterns;
}

/// One walk through a folder of sources.
class SourceWalk {
 public:
  explicit SourceWalk(fs::path root) : root_(std::move(root)) {
    std::error_code error;
    name_ = fs::is_regular_file(root_ / ".amlignore", error) ? ".amlignore" : ".gitignore";
  }

  /// What is in `folder`, which is relative to the root; empty: the root itself.
  Result<void> Walk(const std::string& folder) {
    std::error_code error;
    std::vector<fs::directory_entry> entries;
    fs::directory_iterator found(root_ / folder, error);
    for (; !error && found != fs::directory_iterator(); found.increment(error)) {
      entries.push_back(*found);
    }
    if (error) return SystemError((root_ / folder).string(), error.value());
    patterns_[folder] = TRY(ReadPatterns(root_ / folder / name_));
    for (const fs::directory_entry& entry : entries) {
      const std::string name = entry.path().filename().string();
      TRY(Take(entry, folder.empty() ? name : folder + "/" + name));
    }
    return {};
  }

  std::vector<ModelSource> Files() && {
    std::ranges::sort(files_, {}, &ModelSource::path);
    return std::move(files_);
  }

 private:
  Result<void> Take(const fs::directory_entry& entry, const std::string& path) {
    std::error_code error;
    const fs::file_status status = entry.symlink_status(error);
    const std::string name = entry.path().filename().string();
    const bool is_folder = fs::is_directory(status);
    const bool never = std::ranges::find(kNoSources, name) != kNoSources.end();
    if ((never && entry.is_directory(error)) || LeftOut(path, is_folder)) return {};
    if (fs::is_symlink(status)) {
      return Error{.code = Code::kInvalidArgument,
                   .message = fmt::format("{} is a link to {}", entry.path().string(),
                                          fs::read_symlink(entry.path(), error).string()),
                   .id = "Source.Link",
                   .fix = "put the file itself there, or name " + path + " in .amlignore"};
    }
    if (is_folder) return Walk(path);
    if (!fs::is_regular_file(status)) {
      return Error{.code = Code::kInvalidArgument,
                   .message = entry.path().string() + " is no regular file",
                   .id = "Source.File",
                   .fix = "name " + path + " in .amlignore"};
    }
    const auto size = static_cast<std::int64_t>(entry.file_size(error));
    if (error) return SystemError(entry.path().string(), error.value());
    files_.push_back({.path = path, .file = entry.path(), .size = size});
    bytes_ += size;
    if (files_.size() <= kFilesMax && bytes_ <= kBytesMax) return {};
    return Error{.code = Code::kResourceExhausted,
                 .message = fmt::format("{} has more than {} files or {}", root_.string(),
                                        kFilesMax, BytesText(kBytesMax)),
                 .id = "Source.TooLarge",
                 .fix =
                     "name what the script does not need in .amlignore, which has the form of "
                     ".gitignore; register data that it needs as a model"};
  }

  /// The last line that fits counts, of the innermost file that has one.
  bool LeftOut(const std::string& path, bool is_folder) const {
    for (std::size_t end = path.rfind('/');; end = path.rfind('/', end - 1)) {
      const bool at_root = end == std::string::npos;
      const auto found = patterns_.find(at_root ? std::string() : path.substr(0, end));
      if (found != patterns_.end()) {
        const std::string_view inside = std::string_view(path).substr(at_root ? 0 : end + 1);
        const Patterns& patterns = found->second;
        for (auto pattern = patterns.rbegin(); pattern != patterns.rend(); ++pattern) {
          if (pattern->Fits(inside, is_folder)) return !pattern->takes_in();
        }
      }
      if (at_root || end == 0) return false;
    }
  }

  const fs::path root_;
  std::string name_;
  std::map<std::string, Patterns> patterns_;
  std::vector<ModelSource> files_;
  std::int64_t bytes_ = 0;
};

}  // namespace

Result<std::vector<ModelSource>> FindSourceFiles(const fs::path& folder) {
  std::error_code error;
  if (!fs::is_directory(folder, error)) {
    return Error{.code = Code::kInvalidArgument,
                 .message = folder.string() + " is no folder",
                 .id = "Source.NotFolder"};
  }
  SourceWalk walk(folder.lexically_normal());
  TRY(walk.Walk(""));
  return std::move(walk).Files();
}

}  // namespace slipway::cli
