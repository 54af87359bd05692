// SPDX-License-Identifier: Apache-2.0
#include "imagebuilder/compare.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/digest.h"
#include "base/json.h"
#include "imagebuilder/layer_stream.h"
#include "imagebuilder/manifest.h"
#include "imagebuilder/tar_reader.h"

namespace slipway::imagebuilder {
namespace {

using State = PartComparison::State;

constexpr std::size_t kBlock = 64 << 10;

/// A layer's entries, one after the other, and the bytes of the present one.
class EntryStream {
 public:
  static Result<std::unique_ptr<EntryStream>> Open(const BlobStore& blobs, const Layer& layer) {
    auto stream = TRY(LayerStream::Open(blobs, layer));
    return std::unique_ptr<EntryStream>(new EntryStream(std::move(stream)));
  }
  const std::optional<TarEntry>& entry() const { return entry_; }
  Result<void> Advance() {
    entry_ = TRY(reader_.Next());
    return {};
  }
  /// Fills `block` but at the end of the content.
  Result<std::size_t> Read(std::span<std::byte> block) {
    std::size_t filled = 0;
    while (filled < block.size()) {
      const std::size_t count = TRY(reader_.Read(block.subspan(filled)));
      if (count == 0) break;
      filled += count;
    }
    return filled;
  }
  Result<void> Finish() { return stream_->Finish(); }

 private:
  explicit EntryStream(std::unique_ptr<LayerStream> stream)
      : stream_(std::move(stream)), reader_(stream_->Source()) {}
  std::unique_ptr<LayerStream> stream_;
  TarReader reader_;
  std::optional<TarEntry> entry_;
};

std::string_view KindName(TarEntry::Kind kind) {
  switch (kind) {
    case TarEntry::Kind::kFile:
      return "a file";
    case TarEntry::Kind::kFolder:
      return "a folder";
    case TarEntry::Kind::kSymlink:
      return "a symbolic link";
    case TarEntry::Kind::kHardlink:
      return "a hard link";
  }
  return {};
}

/// What differs between two entries of one path, but for their content.
std::string EntryDifference(const TarEntry& first, const TarEntry& second) {
  if (first.kind != second.kind) {
    return fmt::format("/{}: {}, rebuilt {}", first.path, KindName(first.kind),
                       KindName(second.kind));
  }
  if (first.link_target != second.link_target) {
    return fmt::format("/{}: leads to {}, rebuilt to {}", first.path, first.link_target,
                       second.link_target);
  }
  if (first.mode != second.mode) {
    return fmt::format("/{}: mode {:o}, rebuilt {:o}", first.path, first.mode, second.mode);
  }
  if (first.size != second.size) {
    return fmt::format("/{}: {} bytes, rebuilt {}", first.path, first.size, second.size);
  }
  return {};
}

/// Where two contents of one size begin to differ; -1: nowhere.
Result<std::int64_t> ContentDifference(EntryStream& first, EntryStream& second) {
  const auto a = std::make_unique<std::array<std::byte, kBlock>>();
  const auto b = std::make_unique<std::array<std::byte, kBlock>>();
  for (std::int64_t at = 0;;) {
    const std::size_t count = TRY(first.Read(*a));
    const std::size_t other = TRY(second.Read(*b));
    const auto shared = static_cast<std::ptrdiff_t>(std::min(count, other));
    const auto where = std::mismatch(a->begin(), a->begin() + shared, b->begin()).first;
    if (where != a->begin() + shared || count != other) return at + (where - a->begin());
    if (count == 0) return std::int64_t{-1};
    at += static_cast<std::int64_t>(count);
  }
}

Result<std::string> CompareEntries(EntryStream& first, EntryStream& second) {
  while (true) {
    TRY(first.Advance());
    TRY(second.Advance());
    const auto& a = first.entry();
    const auto& b = second.entry();
    if (!a && !b) return std::string();
    if (!b || (a && a->path < b->path)) return fmt::format("/{}: not in the rebuilt one", a->path);
    if (!a || b->path < a->path) return fmt::format("/{}: only in the rebuilt one", b->path);
    std::string difference = EntryDifference(*a, *b);
    if (!difference.empty()) return difference;
    const std::int64_t at = TRY(ContentDifference(first, second));
    if (at >= 0) return fmt::format("/{}: other content from byte {} on", a->path, at);
  }
}

Result<PartComparison> CompareLayers(const StoredImage& first, const Layer& a,
                                     const StoredImage& second, const Layer& b) {
  PartComparison part{.name = a.name, .first = a.blob.digest, .second = b.blob.digest};
  if (a.blob.digest == b.blob.digest) {
    const Digest digest = TRY(Digest::Parse(a.blob.digest));
    TRY(first.blobs.Verify(digest));
    return part;
  }
  const auto difference = TRY(FirstDifference(first.blobs, a, second.blobs, b));
  part.state = difference ? State::kDiffers : State::kRepacked;
  part.difference = difference.value_or("");
  return part;
}

Result<Json> ReadConfigJson(const StoredImage& stored) {
  const Digest digest = TRY(Digest::Parse(stored.image.config.digest));
  const std::string text = TRY(stored.blobs.ReadVerified(digest, kManifestBytes));
  Json json = TRY(ParseJson(text));
  // Layers are compared by themselves.
  json.erase("rootfs");
  json.erase("history");
  return json;
}

Result<PartComparison> CompareConfigs(const StoredImage& first, const StoredImage& second) {
  PartComparison part{.name = std::string(kSettingsPart),
                      .first = first.image.config.digest,
                      .second = second.image.config.digest};
  if (part.first == part.second) return part;
  const Json a = TRY(ReadConfigJson(first)), b = TRY(ReadConfigJson(second));
  if (a == b) {
    // The digests of other layers are in it, which are told of there.
    part.state = State::kRepacked;
    return part;
  }
  const Json changes = Json::diff(a, b);
  part.state = State::kDiffers;
  part.difference = fmt::format("{}: other value", changes.at(0).at("path").get<std::string>());
  return part;
}

}  // namespace

Result<std::optional<std::string>> FirstDifference(const BlobStore& first_blobs, const Layer& first,
                                                   const BlobStore& second_blobs,
                                                   const Layer& second) {
  const auto a = TRY(EntryStream::Open(first_blobs, first));
  const auto b = TRY(EntryStream::Open(second_blobs, second));
  std::string difference = TRY(CompareEntries(*a, *b));
  if (!difference.empty()) return std::optional(std::move(difference));
  TRY(a->Finish());
  TRY(b->Finish());
  if (first.diff_id == second.diff_id) return std::optional<std::string>();
  return std::optional<std::string>("the same files, archived in another way");
}

Result<std::vector<PartComparison>> CompareImages(const StoredImage& first,
                                                  const StoredImage& second) {
  std::multimap<std::string, const Layer*> others;
  for (const Layer& layer : second.image.layers) others.emplace(layer.name, &layer);
  std::vector<PartComparison> parts;
  for (const Layer& layer : first.image.layers) {
    const auto other = others.lower_bound(layer.name);
    if (other == others.end() || other->first != layer.name) {
      parts.push_back({.name = layer.name,
                       .state = State::kFirstOnly,
                       .first = layer.blob.digest,
                       .second = {}});
      continue;
    }
    auto part = CompareLayers(first, layer, second, *other->second);
    if (!part) return Within(fmt::format("layer {}", layer.name), std::move(part).error());
    parts.push_back(*std::move(part));
    others.erase(other);
  }
  for (const auto& [name, layer] : others) {
    parts.push_back(
        {.name = name, .state = State::kSecondOnly, .first = {}, .second = layer->blob.digest});
  }
  parts.push_back(TRY(CompareConfigs(first, second)));
  return parts;
}

}  // namespace slipway::imagebuilder
