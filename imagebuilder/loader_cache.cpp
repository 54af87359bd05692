// SPDX-License-Identifier: Apache-2.0
#include <cstring>
#include <optional>
#include <string_view>

#include "imagebuilder/closure.h"

namespace slipway::imagebuilder {
namespace {

constexpr std::string_view kMagic = "glibc-ld.so.cache1.1";
constexpr std::size_t kHeaderBytes = 48;
constexpr std::size_t kEntryBytes = 24;

std::uint32_t Word(std::span<const std::byte> bytes, std::size_t at) {
  std::uint32_t word = 0;
  std::memcpy(&word, bytes.data() + at, sizeof word);
  return word;
}

std::optional<std::string> TextAt(std::span<const std::byte> bytes, std::size_t at) {
  if (at >= bytes.size()) return std::nullopt;
  const void* end = std::memchr(bytes.data() + at, 0, bytes.size() - at);
  if (end == nullptr) return std::nullopt;
  return std::string(reinterpret_cast<const char*>(bytes.data() + at),
                     static_cast<const char*>(end));
}

/// The current format may follow the old one; its offsets count from its own header.
std::span<const std::byte> CurrentFormat(std::span<const std::byte> bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const std::size_t at = text.find(kMagic);
  if (at == std::string_view::npos || bytes.size() - at < kHeaderBytes) return {};
  return bytes.subspan(at);
}

}  // namespace

std::multimap<std::string, std::filesystem::path> ReadLoaderCache(
    std::span<const std::byte> bytes) {
  std::multimap<std::string, std::filesystem::path> found;
  if (bytes.empty()) return found;
  const std::span<const std::byte> cache = CurrentFormat(bytes);
  if (cache.empty()) return found;
  const std::size_t count = Word(cache, kMagic.size());
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t at = kHeaderBytes + i * kEntryBytes;
    if (at + kEntryBytes > cache.size()) break;
    std::uint64_t processor_level = 0;
    std::memcpy(&processor_level, cache.data() + at + 16, sizeof processor_level);
    if (processor_level != 0) continue;
    const auto name = TextAt(cache, Word(cache, at + 4));
    const auto path = TextAt(cache, Word(cache, at + 8));
    if (name && path && path->starts_with('/')) found.emplace(*name, *path);
  }
  return found;
}

}  // namespace slipway::imagebuilder
