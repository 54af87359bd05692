// SPDX-License-Identifier: Apache-2.0
#include "cli/served_image.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string_view>
#include <system_error>

#include "base/file.h"
#include "base/json.h"
#include "cli/download.h"
#include "cli/one_shot.h"
#include "cli/remote.h"

namespace slipway::cli {
namespace {

namespace fs = std::filesystem;

/// Source: POSIX.1-1988 ustar and GNU tar, `magic` of the header block.
bool IsTar(const fs::path& file) {
  constexpr std::size_t kMagicAt = 257;
  constexpr std::string_view kMagic = "ustar";
  std::array<char, kMagicAt + kMagic.size()> head{};
  std::ifstream stream(file, std::ios::binary);
  return stream.read(head.data(), head.size()) &&
         std::string_view(head.data() + kMagicAt, kMagic.size()) == kMagic;
}

/// `NAME` or `NAME:VERSION`, and no file that was misspelt: names of images have no ending.
bool IsImageName(std::string_view text) {
  const std::size_t colon = text.find(':');
  const std::string_view version = colon == std::string_view::npos ? "1" : text.substr(colon + 1);
  const std::string_view name = text.substr(0, colon);
  const bool counted =
      std::ranges::all_of(version, [](unsigned char c) { return std::isdigit(c) != 0; });
  return !name.empty() && !version.empty() && (counted || version == "latest") &&
         name.find('/') == std::string_view::npos &&
         (colon != std::string_view::npos || name.find('.') == std::string_view::npos);
}

Result<ServedImage> ReadServed(const Json& answer) {
  ServedImage image;
  for (const Json& word : answer.value("command", Json::array())) {
    if (word.is_string()) image.command.push_back(word.get<std::string>());
  }
  for (const Json& variable : answer.value("environment", Json::array())) {
    if (variable.is_string()) image.environment.push_back(variable.get<std::string>());
  }
  image.folder = TRY(GetString(answer, "folder"));
  if (!image.command.empty()) return image;
  return Error{.code = Code::kInternal, .message = "slipwayd did not say what to start"};
}

Result<ServedImage> Unpack(Context& context, const fs::path& place, const std::string& digest) {
  std::vector<std::string> words = {"unpack"};
  if (!place.empty()) words.insert(words.end(), {"--image", place.string()});
  if (!digest.empty()) words.insert(words.end(), {"--digest", digest});
  const Json answer = TRY(RunOneShot(context, words));
  return ReadServed(answer);
}

/// The image of the workspace as an archive that is gone again once it was read.
Result<ServedImage> Download(Context& context, Remote& remote, const VersionedName& name,
                             const std::string& digest) {
  TRY(MakeFolders(ServeFolder(context)));
  const fs::path temp = TRY(MakeTempFolder(ServeFolder(context), "download-"));
  context.Progress("  downloading " + name.name + ":" + name.version);
  const std::string path = VersionPath("images", name) + "/archive?format=oci-archive";
  const auto saved =
      DownloadFile(remote, remote.InWorkspace(path), temp / "image.tar", std::nullopt);
  auto served =
      saved ? Unpack(context, temp / "image.tar", digest) : Result<ServedImage>(saved.error());
  TRY(RemoveTree(temp));
  return served;
}

Result<ServedImage> LayOutNamed(Context& context, const std::string& text) {
  VersionedName name = TRY(ParseVersionedName(text));
  const auto remote = context.remote();
  const Result<Json> found =
      remote ? (*remote)->Get((*remote)->InWorkspace(VersionPath("images", name)))
             : Result<Json>(remote.error());
  if (!found) return Within("no file " + text + " is here, and of an image", found.error());
  const Json& image = *found;
  const std::string state = image.value("state", "");
  if (state != "Succeeded") {
    return Error{.code = Code::kFailedPrecondition,
                 .message = "image \"" + text + "\" is in state " + state,
                 .id = "Image.NotReady",
                 .fix = "slipway image show " + text};
  }
  name.version = std::to_string(image.value("version", std::int64_t{0}));
  const std::string digest = TRY(GetString(image, "digest"));
  auto there = Unpack(context, {}, digest);
  if (there || there.error().id != "Blob.NotFound") return there;
  return Download(context, **remote, name, digest);
}

}  // namespace

std::optional<GivenImage> FindGivenImage(const fs::path& folder, const std::string& given) {
  const fs::path path = (folder / given).lexically_normal();
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (!fs::exists(status)) {
    return IsImageName(given) ? std::optional<GivenImage>({.name = given}) : std::nullopt;
  }
  const bool is_layout = fs::is_directory(status) && fs::exists(path / "index.json", error);
  const bool is_archive = fs::is_regular_file(status) && IsTar(path);
  return is_layout || is_archive ? std::optional<GivenImage>({.place = path}) : std::nullopt;
}

Result<ServedImage> LayOutImage(Context& context, const GivenImage& image) {
  return image.place.empty() ? LayOutNamed(context, image.name) : Unpack(context, image.place, {});
}

}  // namespace slipway::cli
