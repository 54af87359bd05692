// SPDX-License-Identifier: Apache-2.0
#include "imagebuilder/closure.h"

#include <elf.h>
#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <random>
#include <set>

#include "base/process.h"
#include "imagebuilder/elf.h"
#include "tests/support/image_fixture.h"

namespace slipway::imagebuilder {
namespace {

namespace fs = std::filesystem;
using testing::Slurp;

std::span<const std::byte> AsBytes(const std::string& text) {
  return std::as_bytes(std::span(text));
}

/// What the loader has mapped into this very process is what the closure must hold.
TEST(Closure, IsWhatTheLoaderLoads) {
  std::set<std::string> loaded;
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    const std::size_t at = line.find('/');
    if (at != std::string::npos && line.find(".so") != std::string::npos) {
      loaded.insert(fs::path(line.substr(at)).string());
    }
  }
  const auto closure = FindClosure(ThisProgram());
  ASSERT_TRUE(closure.has_value()) << closure.error().message;
  std::set<std::string> found;
  for (const auto& [name, path] : closure->libraries) found.insert(fs::canonical(path).string());
  for (const std::string& path : loaded) EXPECT_TRUE(found.contains(path)) << path;
  for (const std::string& path : found) EXPECT_TRUE(loaded.contains(path)) << path;
  EXPECT_TRUE(closure->libraries.contains(fs::path(closure->interpreter).filename()));
  EXPECT_GE(found.size(), 3U);
}

TEST(Closure, NamesTheMissingLibraryAndWhoNeedsIt) {
  const auto closure = FindClosure("/bin/cat", {.cache = "/nowhere", .folders = {}});
  ASSERT_FALSE(closure.has_value());
  EXPECT_EQ(closure.error().code, Code::kNotFound);
  EXPECT_EQ(closure.error().id, "Image.LibraryMissing");
  EXPECT_NE(closure.error().message.find("cat needs libc.so.6"), std::string::npos)
      << closure.error().message;
  EXPECT_FALSE(closure.error().fix.empty());
}

TEST(Closure, LooksIntoFoldersWithoutACache) {
  const auto with = FindClosure("/bin/cat");
  const auto without = FindClosure("/bin/cat", {.cache = "/nowhere"});
  ASSERT_TRUE(with.has_value() && without.has_value());
  ASSERT_EQ(with->libraries.size(), without->libraries.size());
  for (const auto& [name, path] : with->libraries) {
    EXPECT_EQ(fs::canonical(path), fs::canonical(without->libraries.at(name))) << name;
  }
}

/// A library of 64-bit ELF written by hand: one segment, a dynamic section, a string table.
std::string MakeElf(const std::vector<std::string>& needed, const std::string& runpath,
                    const std::string& rpath, std::uint16_t machine = EM_X86_64) {
  std::string strings(1, '\0');
  std::vector<Elf64_Dyn> dynamic;
  const auto add = [&](std::int64_t tag, const std::string& text) {
    dynamic.push_back({.d_tag = tag, .d_un = {.d_val = strings.size()}});
    strings += text + '\0';
  };
  for (const std::string& name : needed) add(DT_NEEDED, name);
  if (!runpath.empty()) add(DT_RUNPATH, runpath);
  if (!rpath.empty()) add(DT_RPATH, rpath);
  const std::uint64_t table = sizeof(Elf64_Ehdr) + 2 * sizeof(Elf64_Phdr);
  const std::uint64_t text = table + (dynamic.size() + 2) * sizeof(Elf64_Dyn);
  dynamic.push_back({.d_tag = DT_STRTAB, .d_un = {.d_ptr = 0x1000 + text}});
  dynamic.push_back({.d_tag = DT_NULL, .d_un = {.d_val = 0}});
  Elf64_Ehdr header{};
  std::memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  header.e_ident[EI_DATA] = ELFDATA2LSB;
  header.e_type = ET_DYN;
  header.e_machine = machine;
  header.e_phoff = sizeof header;
  header.e_phentsize = sizeof(Elf64_Phdr);
  header.e_phnum = 2;
  Elf64_Phdr load{}, section{};
  load.p_type = PT_LOAD;
  load.p_vaddr = 0x1000;
  load.p_filesz = text + strings.size();
  section.p_type = PT_DYNAMIC;
  section.p_offset = table;
  section.p_filesz = dynamic.size() * sizeof(Elf64_Dyn);
  std::string elf;
  const auto append = [&](const auto& value) {
    elf.append(reinterpret_cast<const char*>(&value), sizeof value);
  };
  append(header);
  append(load);
  append(section);
  for (const Elf64_Dyn& entry : dynamic) append(entry);
  return elf + strings;
}

TEST(Closure, FollowsRunpathWithOriginAndPassesOverOtherMachines) {
  const testing::BlobFixture place;
  const fs::path program =
      place.Write("bin/program", MakeElf({"liba.so"}, "$ORIGIN/../wrong:$ORIGIN/../lib", ""));
  place.Write("wrong/liba.so", MakeElf({}, "", "", EM_AARCH64));
  place.Write("lib/liba.so", MakeElf({"libb.so"}, "${ORIGIN}/more", ""));
  place.Write("lib/more/libb.so", MakeElf({"liba.so"}, "", ""));
  const auto closure = FindClosure(program, {.cache = "/nowhere", .folders = {}});
  ASSERT_TRUE(closure.has_value()) << closure.error().message;
  ASSERT_EQ(closure->libraries.size(), 2U);
  EXPECT_EQ(fs::canonical(closure->libraries.at("liba.so")), fs::canonical(place / "lib/liba.so"));
  EXPECT_EQ(fs::canonical(closure->libraries.at("libb.so")),
            fs::canonical(place / "lib/more/libb.so"));
}

TEST(Closure, TheProgramsRpathServesItsLibrariesAndItsRunpathDoesNot) {
  const testing::BlobFixture place;
  place.Write("lib/liba.so", MakeElf({"libb.so"}, "", ""));
  place.Write("lib/libb.so", MakeElf({}, "", ""));
  const LibraryPlaces nothing{.cache = "/nowhere", .folders = {}};
  const auto by_rpath =
      FindClosure(place.Write("bin/a", MakeElf({"liba.so"}, "", "$ORIGIN/../lib")), nothing);
  ASSERT_TRUE(by_rpath.has_value()) << by_rpath.error().message;
  EXPECT_EQ(by_rpath->libraries.size(), 2U);
  const auto by_runpath =
      FindClosure(place.Write("bin/b", MakeElf({"liba.so"}, "$ORIGIN/../lib", "")), nothing);
  ASSERT_FALSE(by_runpath.has_value());
  EXPECT_NE(by_runpath.error().message.find("liba.so needs libb.so"), std::string::npos);
}

TEST(Closure, RefusesALibraryNameThatIsAPath) {
  const testing::BlobFixture place;
  const auto closure = FindClosure(place.Write("bin/a", MakeElf({"../../etc/passwd"}, "", "")));
  ASSERT_FALSE(closure.has_value());
  EXPECT_EQ(closure.error().code, Code::kInvalidArgument);
}

TEST(Elf, NeverReadsOutsideTheFile) {
  const std::string good = MakeElf({"liba.so", "libb.so"}, "/x", "/y");
  const auto facts = ParseElf(AsBytes(good));
  ASSERT_TRUE(facts.has_value()) << facts.error().message;
  EXPECT_EQ(facts->needed, (std::vector<std::string>{"liba.so", "libb.so"}));
  EXPECT_EQ(facts->runpath, "/x");
  EXPECT_EQ(facts->rpath, "/y");
  for (std::size_t cut = 0; cut < good.size(); ++cut) {
    EXPECT_FALSE(ParseElf(AsBytes(good.substr(0, cut))).has_value()) << cut;
  }
  std::mt19937_64 random(11);
  int refused = 0;
  for (int round = 0; round < 20000; ++round) {
    std::string damaged = good;
    const std::uint64_t value = random() % 3 == 0 ? ~std::uint64_t{0} : random();
    std::memcpy(damaged.data() + random() % (good.size() - 8), &value, 1 + random() % 8);
    if (!ParseElf(AsBytes(damaged)).has_value()) ++refused;
  }
  EXPECT_GT(refused, 1000);
}

TEST(LoaderCache, AgreesWithTheMachines) {
  if (!fs::exists("/etc/ld.so.cache")) GTEST_SKIP() << "no /etc/ld.so.cache";
  const std::string bytes = Slurp("/etc/ld.so.cache");
  const auto cache = ReadLoaderCache(AsBytes(bytes));
  ASSERT_TRUE(cache.contains("libc.so.6"));
  for (const auto& [name, path] : cache) {
    EXPECT_EQ(path.filename(), name);
    EXPECT_EQ(path.native().find("glibc-hwcaps"), std::string::npos) << path;
  }
}

TEST(LoaderCache, SurvivesAnyBytes) {
  std::string bytes = "glibc-ld.so.cache1.1";
  bytes += std::string("\xff\xff\xff\x7f", 4);
  bytes.resize(200, '\x7f');
  EXPECT_TRUE(ReadLoaderCache(AsBytes(bytes)).empty());
  EXPECT_TRUE(ReadLoaderCache({}).empty());
  EXPECT_TRUE(ReadLoaderCache(AsBytes(bytes.substr(0, 30))).empty());
}

}  // namespace
}  // namespace slipway::imagebuilder
