// SPDX-License-Identifier: Apache-2.0
#include "imagebuilder/elf.h"

#include <elf.h>
#include <fmt/format.h>

#include <cstring>
#include <optional>

namespace slipway::imagebuilder {
namespace {

constexpr std::size_t kNeededMax = 4096;
constexpr std::size_t kTextMax = 64 << 10;

Error NoElf(std::string_view why) {
  return {.code = Code::kInvalidArgument,
          .message = fmt::format("not a usable ELF file: {}", why),
          .id = "Image.Elf"};
}

using Bytes = std::span<const std::byte>;

Result<Bytes> Part(Bytes bytes, std::uint64_t offset, std::uint64_t size, std::string_view what) {
  if (offset > bytes.size() || size > bytes.size() - offset) {
    return NoElf(fmt::format("{} lies outside the file", what));
  }
  return bytes.subspan(offset, size);
}

template <class T>
Result<T> Struct(Bytes bytes, std::uint64_t offset, std::string_view what) {
  T value{};
  std::memcpy(&value, TRY(Part(bytes, offset, sizeof value, what)).data(), sizeof value);
  return value;
}

Result<std::string> TextAt(Bytes bytes, std::uint64_t offset, std::string_view what) {
  if (offset >= bytes.size()) return NoElf(fmt::format("{} lies outside the file", what));
  const Bytes rest = bytes.subspan(offset, std::min(bytes.size() - offset, kTextMax));
  const void* end = std::memchr(rest.data(), 0, rest.size());
  if (end == nullptr) return NoElf(fmt::format("{} does not end", what));
  return std::string(reinterpret_cast<const char*>(rest.data()), static_cast<const char*>(end));
}

struct Segments {
  std::vector<Elf64_Phdr> loads;
  std::optional<Elf64_Phdr> dynamic, interpreter;
};

Result<Segments> ReadSegments(Bytes bytes, const Elf64_Ehdr& header) {
  if (header.e_phentsize != sizeof(Elf64_Phdr)) return NoElf("odd program header size");
  Segments segments;
  for (std::uint64_t i = 0; i < header.e_phnum; ++i) {
    std::uint64_t offset = 0;
    if (__builtin_add_overflow(header.e_phoff, i * sizeof(Elf64_Phdr), &offset)) {
      return NoElf("the program headers lie outside the file");
    }
    const auto segment = TRY(Struct<Elf64_Phdr>(bytes, offset, "a program header"));
    if (segment.p_type == PT_LOAD) segments.loads.push_back(segment);
    if (segment.p_type == PT_DYNAMIC) segments.dynamic = segment;
    if (segment.p_type == PT_INTERP) segments.interpreter = segment;
  }
  return segments;
}

Result<std::uint64_t> FileOffset(const Segments& segments, std::uint64_t address) {
  for (const Elf64_Phdr& load : segments.loads) {
    if (address >= load.p_vaddr && address - load.p_vaddr < load.p_filesz) {
      std::uint64_t offset = 0;
      if (!__builtin_add_overflow(load.p_offset, address - load.p_vaddr, &offset)) return offset;
    }
  }
  return NoElf("the string table is not in a loaded segment");
}

struct Dynamic {
  std::vector<std::uint64_t> needed;
  std::optional<std::uint64_t> strings, rpath, runpath;
};

Result<Dynamic> ReadDynamic(Bytes bytes, const Elf64_Phdr& segment) {
  const Bytes table = TRY(Part(bytes, segment.p_offset, segment.p_filesz, "the dynamic section"));
  Dynamic dynamic;
  for (std::uint64_t at = 0; at + sizeof(Elf64_Dyn) <= table.size(); at += sizeof(Elf64_Dyn)) {
    const auto entry = TRY(Struct<Elf64_Dyn>(table, at, "the dynamic section"));
    if (entry.d_tag == DT_NULL) break;
    if (entry.d_tag == DT_NEEDED) dynamic.needed.push_back(entry.d_un.d_val);
    if (entry.d_tag == DT_STRTAB) dynamic.strings = entry.d_un.d_ptr;
    if (entry.d_tag == DT_RPATH) dynamic.rpath = entry.d_un.d_val;
    if (entry.d_tag == DT_RUNPATH) dynamic.runpath = entry.d_un.d_val;
    if (dynamic.needed.size() > kNeededMax) return NoElf("it needs too many libraries");
  }
  return dynamic;
}

Result<void> ReadNames(Bytes bytes, const Segments& segments, ElfFacts& facts) {
  const Dynamic dynamic = TRY(ReadDynamic(bytes, *segments.dynamic));
  if (!dynamic.strings) return {};
  const std::uint64_t strings = TRY(FileOffset(segments, *dynamic.strings));
  const auto text = [&](std::uint64_t offset, std::string_view what) -> Result<std::string> {
    std::uint64_t at = 0;
    if (__builtin_add_overflow(strings, offset, &at)) {
      return NoElf(fmt::format("{} lies outside the file", what));
    }
    return TextAt(bytes, at, what);
  };
  for (const std::uint64_t offset : dynamic.needed) {
    facts.needed.push_back(TRY(text(offset, "a needed library's name")));
  }
  if (dynamic.rpath) facts.rpath = TRY(text(*dynamic.rpath, "the rpath"));
  if (dynamic.runpath) facts.runpath = TRY(text(*dynamic.runpath, "the runpath"));
  return {};
}

}  // namespace

Result<ElfFacts> ParseElf(std::span<const std::byte> bytes) {
  const auto header = TRY(Struct<Elf64_Ehdr>(bytes, 0, "the header"));
  if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0)
    return NoElf("the magic number is missing");
  if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB) {
    return NoElf("only 64-bit little-endian is supported");
  }
  if (header.e_type != ET_EXEC && header.e_type != ET_DYN) {
    return NoElf("neither a program nor a shared library");
  }
  ElfFacts facts;
  facts.machine = header.e_machine;
  const Segments segments = TRY(ReadSegments(bytes, header));
  if (segments.interpreter) {
    facts.interpreter = TRY(TextAt(bytes, segments.interpreter->p_offset, "the loader's path"));
  }
  if (segments.dynamic) TRY(ReadNames(bytes, segments, facts));
  return facts;
}

std::string_view OciArchitecture(std::uint16_t machine) {
  if (machine == EM_X86_64) return "amd64";
  if (machine == EM_AARCH64) return "arm64";
  return {};
}

}  // namespace slipway::imagebuilder
