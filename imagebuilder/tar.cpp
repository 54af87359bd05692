// SPDX-License-Identifier: Apache-2.0
#include "imagebuilder/tar.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

namespace slipway::imagebuilder {
namespace {

constexpr std::int64_t kBlock = 512;
constexpr std::int64_t kUstarSizeLimit = std::int64_t{1} << 33;
constexpr std::array<std::byte, 2 * kBlock> kZeros{};

struct Field {
  std::size_t offset, length;
};
constexpr Field kName{0, 100}, kMode{100, 8}, kUid{108, 8}, kGid{116, 8}, kSize{124, 12},
    kMtime{136, 12}, kChecksum{148, 8}, kType{156, 1}, kLink{157, 100}, kMagic{257, 8},
    kMajor{329, 8}, kMinor{337, 8}, kPrefix{345, 155};

void PutText(std::string& block, Field field, std::string_view text) {
  block.replace(field.offset, std::min(text.size(), field.length), text.substr(0, field.length));
}

void PutOctal(std::string& block, Field field, std::int64_t value) {
  PutText(block, field, fmt::format("{:0{}o}", value, field.length - 1));
}

bool IsAscii(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

std::string AsciiOf(std::string_view text) {
  std::string ascii(text);
  std::ranges::replace_if(
      ascii, [](char c) { return static_cast<unsigned char>(c) >= 0x80; }, '_');
  return ascii;
}

struct UstarName {
  std::string_view prefix, name;
  bool fits = false;
};

UstarName SplitName(std::string_view path) {
  if (!IsAscii(path)) return {};
  if (path.size() <= kName.length) return {.prefix = {}, .name = path, .fits = true};
  for (std::size_t at = path.find('/'); at != std::string_view::npos; at = path.find('/', at + 1)) {
    const std::size_t rest = path.size() - at - 1;
    if (at > 0 && at <= kPrefix.length && rest > 0 && rest <= kName.length) {
      return {.prefix = path.substr(0, at), .name = path.substr(at + 1), .fits = true};
    }
  }
  return {};
}

struct Header {
  std::string prefix, name, link;
  unsigned mode = 0;
  std::int64_t size = 0;
  char type = '0';
};

std::string Ustar(const Header& header) {
  std::string block(kBlock, '\0');
  PutText(block, kName, header.name);
  PutOctal(block, kMode, header.mode);
  PutOctal(block, kUid, 0);
  PutOctal(block, kGid, 0);
  PutOctal(block, kSize, header.size);
  PutOctal(block, kMtime, 0);
  PutText(block, kChecksum, "        ");
  PutText(block, kType, std::string_view(&header.type, 1));
  PutText(block, kLink, header.link);
  PutText(block, kMagic, std::string_view("ustar\00000", 8));
  PutOctal(block, kMajor, 0);
  PutOctal(block, kMinor, 0);
  PutText(block, kPrefix, header.prefix);
  std::int64_t sum = 0;
  for (const char c : block) sum += static_cast<unsigned char>(c);
  PutText(block, kChecksum, fmt::format("{:06o}", sum) + std::string("\0 ", 2));
  return block;
}

/// A record's length counts its own digits.
std::string PaxRecord(std::string_view key, std::string_view value) {
  const std::size_t bare = key.size() + value.size() + 3;
  std::size_t length = bare + 1;
  while (bare + fmt::formatted_size("{}", length) != length) ++length;
  return fmt::format("{} {}={}\n", length, key, value);
}

char TypeFlag(FileEntry::Kind kind) {
  switch (kind) {
    case FileEntry::Kind::kFile:
      return '0';
    case FileEntry::Kind::kFolder:
      return '5';
    case FileEntry::Kind::kSymlink:
      return '2';
  }
  return '0';
}

std::string PaxHeader(std::string_view path, const std::string& records) {
  const std::string_view last = path.substr(path.find_last_of('/', path.size() - 2) + 1);
  const auto size = static_cast<std::int64_t>(records.size());
  std::string blocks = Ustar({.prefix = {},
                              .name = ("PaxHeaders/" + AsciiOf(last)).substr(0, kName.length),
                              .link = {},
                              .mode = 0644,
                              .size = size,
                              .type = 'x'});
  blocks += records;
  blocks.append(TarPadding(size).size(), '\0');
  return blocks;
}

}  // namespace

std::string TarHeader(const TarMember& member) {
  const bool file = member.kind == FileEntry::Kind::kFile;
  const std::string path =
      member.kind == FileEntry::Kind::kFolder ? member.path + "/" : member.path;
  const UstarName name = SplitName(path);
  std::string records;
  if (!name.fits) records += PaxRecord("path", path);
  if (member.link_target.size() > kLink.length || !IsAscii(member.link_target)) {
    records += PaxRecord("linkpath", member.link_target);
  }
  const bool large = file && member.size >= kUstarSizeLimit;
  if (large) records += PaxRecord("size", std::to_string(member.size));
  std::string blocks;
  if (!records.empty()) blocks = PaxHeader(path, records);
  blocks += Ustar({.prefix = std::string(name.prefix),
                   .name = name.fits ? std::string(name.name) : AsciiOf(path),
                   .link = AsciiOf(member.link_target),
                   .mode = member.mode,
                   .size = file && !large ? member.size : 0,
                   .type = TypeFlag(member.kind)});
  return blocks;
}

std::span<const std::byte> TarPadding(std::int64_t size) {
  const std::int64_t over = size % kBlock;
  return std::span(kZeros).first(static_cast<std::size_t>(over == 0 ? 0 : kBlock - over));
}

std::int64_t TarMemberBytes(const TarMember& member) {
  const auto header = static_cast<std::int64_t>(TarHeader(member).size());
  if (member.kind != FileEntry::Kind::kFile) return header;
  return header + member.size + static_cast<std::int64_t>(TarPadding(member.size).size());
}

std::span<const std::byte> TarEnd() { return kZeros; }

}  // namespace slipway::imagebuilder
