// SPDX-License-Identifier: Apache-2.0
#include "imagebuilder/python/oci_import.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

#include "base/digest.h"
#include "base/file.h"
#include "base/json.h"
#include "imagebuilder/manifest.h"
#include "imagebuilder/python/archive_reader.h"
#include "imagebuilder/python/tree_writer.h"

namespace slipway::imagebuilder {
namespace {

namespace fs = std::filesystem;

constexpr int kIndexDepth = 3;

Error NoLayout(const fs::path& place, std::string_view why) {
  return {.code = Code::kInvalidArgument,
          .message = fmt::format("{} is no OCI image: {}", place.string(), why),
          .id = "Image.Base",
          .fix =
              "give an OCI layout or archive (skopeo copy … oci-archive:base.tar), the folder of a "
              "root file system, or a registry's reference"};
}

Result<fs::path> UnpackArchive(const fs::path& file, const fs::path& scratch) {
  const auto reader = TRY(ArchiveReader::OpenFile(file, ArchiveReader::Form::kTar));
  const fs::path folder = TRY(MakeTempFolder(scratch, "layout-"));
  const auto tree = TRY(TreeWriter::Open(folder));
  while (const auto member = TRY(reader->Next())) {
    if (member->kind != ArchiveMember::Kind::kFile) continue;
    std::string path = member->path;
    while (path.starts_with("./")) path.erase(0, 2);
    TRY(tree->AddFile(path, 0644, [&reader] { return reader->Read(); }));
  }
  return folder;
}

class Importer {
 public:
  Importer(const fs::path& place, const fs::path& folder, BlobStore& blobs,
           std::string_view architecture)
      : place_(place), folder_(folder), blobs_(blobs), architecture_(architecture) {}

  Result<Image> Run() {
    const auto text = ReadFile(folder_ / "index.json", kManifestBytes);
    if (!text) return NoLayout(place_, "it has no index.json");
    const std::string digest = TRY(Choose(*text, 0));
    const std::string manifest = TRY(Document(digest));
    const auto parsed = TRY(ParseManifest(manifest));
    TRY(Take(parsed.config.digest));
    for (const ParsedManifest::LayerPart& layer : parsed.layers) TRY(Take(layer.blob.digest));
    TRY(Take(digest));
    return Load(blobs_, digest);
  }

 private:
  fs::path File(const Digest& digest) const {
    return folder_ / "blobs" / "sha256" / std::string(digest.hex());
  }

  Result<std::string> Document(const std::string& text) const {
    const Digest digest = TRY(Digest::Parse(text));
    const auto document = ReadFile(File(digest), kManifestBytes);
    if (!document) return NoLayout(place_, fmt::format("blob {} is not in it", text));
    if (Digest::OfText(*document) == digest) return *document;
    return NoLayout(place_, fmt::format("blob {} has another content", text));
  }

  Result<void> Take(const std::string& text) {
    const Digest digest = TRY(Digest::Parse(text));
    if (blobs_.Has(digest)) return {};
    std::error_code failed;
    if (!fs::is_regular_file(File(digest), failed)) {
      return NoLayout(place_, fmt::format("blob {} is not in it", text));
    }
    const auto stored = TRY(blobs_.PutFile(File(digest)));
    if (stored.digest == digest) return {};
    return NoLayout(place_, fmt::format("blob {} has another content", text));
  }

  /// The digest of the manifest an index leads to.
  Result<std::string> Choose(const std::string& text, int depth) const {
    const auto json = ParseJson(text);
    if (!json || !json->is_object()) return NoLayout(place_, "its index is no JSON object");
    const auto list = json->find("manifests");
    if (depth > kIndexDepth || list == json->end() || !list->is_array()) {
      return NoLayout(place_, "its index lists no manifests");
    }
    for (const Json& item : *list) {
      if (!item.is_object()) continue;
      const Json platform = item.value("platform", Json::object());
      const auto built_for = GetStringOr(platform, "architecture", architecture_);
      if (!built_for || *built_for != architecture_) continue;
      const std::string digest = TRY(GetString(item, "digest"));
      const auto type = GetStringOr(item, "mediaType", "");
      if (type && type->find("index") != std::string::npos) {
        return Choose(TRY(Document(digest)), depth + 1);
      }
      return digest;
    }
    return NoLayout(place_, fmt::format("it has none for {}", architecture_));
  }

  const fs::path& place_;
  const fs::path& folder_;
  BlobStore& blobs_;
  std::string architecture_;
};

}  // namespace

Result<Image> ImportLayout(const fs::path& place, BlobStore& blobs, std::string_view architecture,
                           const fs::path& scratch) {
  std::error_code failed;
  const fs::path folder =
      fs::is_directory(place, failed) ? place : TRY(UnpackArchive(place, scratch));
  return Importer(place, folder, blobs, architecture).Run();
}

}  // namespace slipway::imagebuilder
