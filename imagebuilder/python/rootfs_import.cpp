// SPDX-License-Identifier: Apache-2.0
#include "imagebuilder/python/rootfs_import.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <system_error>
#include <utility>

#include "base/digest.h"
#include "imagebuilder/manifest.h"
#include "imagebuilder/python/tree_writer.h"
#include "imagebuilder/recipe.h"

namespace slipway::imagebuilder {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 5> kRuntimeFolders = {"/dev", "/proc", "/sys", "/run",
                                                             "/tmp"};

bool IsLeftOut(std::string_view path) {
  return std::ranges::any_of(kRuntimeFolders, [&](std::string_view folder) {
    return path.starts_with(folder) && path.size() > folder.size() && path[folder.size()] == '/';
  });
}

Result<Image> Store(const ImageConfig& config, const Layer& layer, BlobStore& blobs) {
  const std::vector<Layer> layers = {layer};
  const auto put = [&blobs](std::string_view type, const std::string& text) -> Result<Descriptor> {
    const auto stored = TRY(blobs.PutText(text));
    return Descriptor{
        .media_type = std::string(type), .digest = stored.digest.text(), .size = stored.size};
  };
  const Descriptor stored = TRY(put(kConfigType, ConfigText(config, layers)));
  const Descriptor manifest = TRY(put(kManifestType, ManifestText(stored, layers)));
  return Load(blobs, manifest.digest);
}

Result<Image> Import(const fs::path& folder, std::string_view architecture, BuildContext& context) {
  std::vector<FileEntry> files = TRY(ListTree(folder, context.cancelled, IsLeftOut));
  const LayerType type{
      .name = "base", .summary = "of the given root file system", .files = nullptr};
  const LayerRecipe recipe = TRY(MakeRecipe(type, std::move(files), context));
  const Layer layer = TRY(PackLayer(recipe, context));
  return Store({.architecture = std::string(architecture),
                .user = "0:0",
                .entrypoint = {"/bin/sh"},
                .environment = {{"PATH",
                                 "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin"
                                 ":/bin"}},
                .labels = {},
                .working_folder = "/"},
               layer, context.blobs);
}

}  // namespace

bool IsRootfs(const fs::path& folder) {
  std::error_code failed;
  return fs::is_directory(folder, failed) && !fs::exists(folder / "index.json", failed) &&
         (fs::is_directory(folder / "usr", failed) || fs::is_directory(folder / "bin", failed));
}

Result<Image> ImportRootfs(const fs::path& folder, std::string_view architecture,
                           BuildContext& context) {
  auto image = Import(folder, architecture, context);
  if (image || image.error().code != Code::kInvalidArgument) return image;
  Error error = Within(fmt::format("the base {}", folder.string()), std::move(image).error());
  error.id = "Image.Base";
  return error;
}

}  // namespace slipway::imagebuilder
