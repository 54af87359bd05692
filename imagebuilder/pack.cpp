// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/blob_store.h"
#include "base/digest.h"
#include "base/file.h"
#include "imagebuilder/errors.h"
#include "imagebuilder/gzip.h"
#include "imagebuilder/layer_tree.h"
#include "imagebuilder/recipe.h"
#include "imagebuilder/tar.h"

namespace slipway::imagebuilder {
namespace {

constexpr std::size_t kPieceBytes = std::size_t{1} << 20;

Error Changed(const FileEntry& entry) {
  const std::string what = entry.source_digest.empty()
                               ? "was written while it was packed"
                               : "no longer has the content " + entry.source_digest;
  return {.code = Code::kDataLoss,
          .message = fmt::format("{} {}", entry.source.string(), what),
          .id = "Image.SourceChanged",
          .fix = "build again once nothing writes to the file"};
}

std::span<const std::byte> AsBytes(std::string_view text) { return std::as_bytes(std::span(text)); }

/// Writes one layer's archive into the blob store. Not thread-safe.
class Packer {
 public:
  Packer(BuildContext& context, std::unique_ptr<BlobStore::Writer> blob, LayerTree* tree)
      : context_(context),
        blob_(std::move(blob)),
        tree_(tree),
        gzip_([this](std::span<const std::byte> bytes) { return blob_->Write(bytes); }),
        piece_(kPieceBytes) {}

  Result<void> Add(const LayerRecipe::Item& item) {
    const FileEntry& entry = item.entry;
    TRY(Write(AsBytes(TarHeader({.path = entry.path,
                                 .kind = entry.kind,
                                 .mode = entry.mode,
                                 .size = item.size,
                                 .link_target = entry.link_target}))));
    if (entry.kind != FileEntry::Kind::kFile) return {};
    if (entry.source.empty()) {
      TRY(Write(AsBytes(entry.text)));
    } else {
      TRY(Copy(item));
    }
    return Write(TarPadding(item.size));
  }

  Result<Layer> Finish(const LayerRecipe& recipe) {
    TRY(Write(TarEnd()));
    TRY(gzip_.Finish());
    const BlobStore::Stored stored = TRY(blob_->Commit());
    return Layer{.name = recipe.name,
                 .summary = recipe.summary,
                 .blob = {.media_type = "application/vnd.oci.image.layer.v1.tar+gzip",
                          .digest = stored.digest.text(),
                          .size = stored.size},
                 .diff_id = plain_.Finish().text(),
                 .unpacked_size = size_};
  }

 private:
  Result<void> Write(std::span<const std::byte> bytes) {
    if (context_.cancelled && context_.cancelled()) return Cancelled();
    plain_.Update(bytes);
    if (tree_ != nullptr) tree_->Write(bytes);
    size_ += static_cast<std::int64_t>(bytes.size());
    return gzip_.Write(bytes);
  }

  Result<void> Copy(const LayerRecipe::Item& item) {
    const std::string source = item.entry.source.string();
    const UniqueFd file(::open(source.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file) return SystemError(source, errno);
    Sha256 content;
    std::int64_t left = item.size;
    while (left > 0) {
      const auto want = static_cast<std::size_t>(std::min<std::int64_t>(left, kPieceBytes));
      const ssize_t got = ::read(file.get(), piece_.data(), want);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return SystemError(source, errno);
      if (got == 0) return Changed(item.entry);
      const auto bytes = std::span<const std::byte>(piece_).first(static_cast<std::size_t>(got));
      if (!item.state) content.Update(bytes);
      TRY(Write(bytes));
      left -= got;
    }
    const bool same = item.state ? TRY(StateOf(item.entry.source)) == *item.state
                                 : content.Finish().text() == item.entry.source_digest;
    if (!same) return Changed(item.entry);
    return {};
  }

  BuildContext& context_;
  std::unique_ptr<BlobStore::Writer> blob_;
  LayerTree* tree_;
  GzipWriter gzip_;
  std::vector<std::byte> piece_;
  Sha256 plain_;
  std::int64_t size_ = 0;
};

}  // namespace

Result<Layer> PackLayer(const LayerRecipe& recipe, BuildContext& context, LayerTree* tree) {
  Packer packer(context, TRY(context.blobs.NewWriter()), tree);
  for (const LayerRecipe::Item& item : recipe.items) TRY(packer.Add(item));
  return packer.Finish(recipe);
}

}  // namespace slipway::imagebuilder
