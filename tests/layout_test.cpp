// SPDX-License-Identifier: Apache-2.0
/// The architecture as data: who may include whom, where third-party headers may appear, how long
/// a file may be, what every unit file defines, where TRY must not stand.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/pattern.h"

namespace slipway {
namespace {

namespace fs = std::filesystem;

/// A module and those it may include, besides itself.
const std::map<std::string, std::set<std::string>> kMayInclude = {
    {"base", {}},
    {"base/http", {"base"}},
    {"runtime", {"base"}},
    {"runtime/tools", {"base", "runtime"}},
    {"runtime/server", {"base", "base/http", "runtime"}},
    {"registry", {"base", "runtime"}},
    {"imagebuilder", {"base", "base/http"}},
    {"deployer", {"base", "base/http"}},
    {"workspace/api", {"base"}},
    {"workspace",
     {"base", "base/http", "runtime", "runtime/tools", "registry", "imagebuilder", "deployer",
      "workspace/api"}},
    {"cli", {"base", "base/http", "runtime", "runtime/tools", "workspace/api"}},
};

/// Third-party headers by prefix, and the files that may include them.
struct ThirdParty {
  std::string_view prefix;
  std::string_view files;
};
constexpr ThirdParty kThirdParty[] = {
    {"nlohmann/json_fwd.hpp", R"(.*\.(h|cpp))"},
    {"nlohmann/json.hpp",
     R"(.*\.cpp|base/json_precompiled\.h|deployer/kubernetes/(client|watch_event)\.h)"},
    {"fmt/", R"(.*\.cpp)"},
    {"boost/", R"(base/http/(server[a-z_]*|io_loop|request_parser|connection|session)\.cpp)"},
    {"curl/", R"(base/http/(client|retry|transfer|transfer_state)\.cpp)"},
    {"openssl/", R"(base/[a-z_]+\.cpp)"},
    {"onnx/", R"(runtime/graph/onnx_reader[a-z_]*\.cpp)"},
    {"google/protobuf/", R"(runtime/graph/onnx_reader[a-z_]*\.cpp)"},
    {"dnnl.hpp",
     R"(runtime/((ops|kernels)/[a-z_0-9]+\.cpp|device/cpu\.(h|cpp)|kernels/dnnl_helpers\.h))"},
    {"hwy/", R"(runtime/kernels/[a-z_0-9]+(_simd\.cpp|_inl\.h))"},
    {"dnnl_threadpool_iface.hpp", R"(runtime/device/[a-z_0-9]+\.cpp)"},
    {"omp.h", R"(runtime/.*\.cpp)"},
    {"re2/", R"(runtime/ops/[a-z_0-9]+\.cpp|deployer/kubernetes/status\.cpp)"},
    {"unicase.h", R"(runtime/ops/string_normalizer\.cpp)"},
    {"openjpeg.h", R"(runtime/image/codecs\.cpp)"},
    {"png.h", R"(runtime/image/codecs\.cpp)"},
    {"tiffio.h", R"(runtime/image/codecs\.cpp)"},
    {"turbojpeg.h", R"(runtime/image/codecs\.cpp)"},
    {"webp/", R"(runtime/image/codecs\.cpp)"},
    {"immintrin.h", R"(runtime/.*\.cpp)"},
    {"sqlite3.h", R"(registry/(db|statement|sqlite_error)\.cpp)"},
    {"archive", R"((imagebuilder/.*|cli/download)\.cpp)"},
    {"libdeflate.h", R"(imagebuilder/.*\.cpp)"},
    {"zlib.h", R"(imagebuilder/.*\.cpp)"},
    {"CLI/", R"((cli/(app|completion)|base/command_line)\.cpp)"},
    {"yaml-cpp/", R"((cli|workspace|deployer|imagebuilder)/.*\.cpp)"},
};

/// A folder of units: each file `<stem>.cpp` defines `<type> <kind>_<stem>()`.
struct UnitFolder {
  std::string_view folder, type, kind;
};
constexpr UnitFolder kUnits[] = {
    {"runtime/ops", "OpList", "ops"},
    {"runtime/passes", "Pass", "passes"},
    {"runtime/server/routes", "RouteList", "routes"},
    {"imagebuilder/layers", "LayerType", "layers"},
    {"imagebuilder/outputs", "OutputType", "outputs"},
    {"deployer/targets", "Target", "targets"},
    {"workspace/routes", "RouteList", "routes"},
    {"cli/commands", "Command", "commands"},
};

constexpr std::string_view kModules[] = {"base",     "runtime",   "registry", "imagebuilder",
                                         "deployer", "workspace", "cli"};
constexpr int kLinesMax = 800;
constexpr int kReadmeLinesMax = 60;

struct Source {
  std::string path;  ///< from the root
  std::vector<std::string> lines;
};

std::vector<std::string> Lines(const fs::path& file) {
  std::ifstream in(file);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

/// C++ files under the folders, in order of their paths.
std::vector<Source> Sources(std::span<const std::string_view> folders) {
  const fs::path root = SLIPWAY_SOURCE_DIR;
  std::vector<Source> sources;
  for (std::string_view folder : folders) {
    for (const auto& entry : fs::recursive_directory_iterator(root / folder)) {
      const std::string extension = entry.path().extension().string();
      if (extension != ".h" && extension != ".cpp" && extension != ".cu") continue;
      sources.push_back({fs::relative(entry.path(), root).string(), Lines(entry.path())});
    }
  }
  std::sort(sources.begin(), sources.end(),
            [](const Source& a, const Source& b) { return a.path < b.path; });
  return sources;
}

std::vector<Source> ProductSources() { return Sources(kModules); }

std::vector<Source> AllSources() {
  std::vector<std::string_view> folders(std::begin(kModules), std::end(kModules));
  folders.push_back("tests");
  return Sources(folders);
}

/// The module a file of ours belongs to: the longest that is a prefix of its path.
std::string ModuleOf(const std::string& path) {
  std::string best;
  for (const auto& [module, unused] : kMayInclude) {
    const bool inside = path.starts_with(module + "/") || path.starts_with(module + ".");
    if (inside && module.size() > best.size()) best = module;
  }
  return best;
}

struct Include {
  std::string path;
  bool ours;  ///< in quotes
};

std::vector<Include> Includes(const Source& source) {
  static const testing::Pattern pattern(R"re(^\s*#\s*include\s*(["<])([^">]+)[">])re");
  std::vector<Include> found;
  for (const std::string& line : source.lines) {
    const std::vector<std::string> match = pattern.Find(line);
    if (!match.empty()) found.push_back({match[2], match[1] == "\""});
  }
  return found;
}

bool IsSystem(const std::string& header) {
  static const std::set<std::string, std::less<>> posix = {
      "cpuid.h",  "dirent.h",  "dlfcn.h",  "elf.h",   "fcntl.h",  "ftw.h",   "netdb.h",
      "poll.h",   "pthread.h", "pwd.h",    "sched.h", "signal.h", "spawn.h", "stddef.h",
      "stdint.h", "stdio.h",   "syslog.h", "time.h",  "unistd.h", "utime.h"};
  if (posix.contains(header)) return true;
  for (std::string_view folder : {"sys/", "netinet/", "arpa/", "linux/", "net/"}) {
    if (header.starts_with(folder)) return true;
  }
  return header.find_first_of("./") == std::string::npos;
}

TEST(Layout, ModulesIncludeOnlyWhatTheyMay) {
  int checked = 0;
  for (const Source& source : ProductSources()) {
    const std::string from = ModuleOf(source.path);
    ASSERT_FALSE(from.empty()) << source.path;
    for (const Include& include : Includes(source)) {
      if (!include.ours) continue;
      const std::string to = ModuleOf(include.path);
      ++checked;
      EXPECT_TRUE(to == from || kMayInclude.at(from).contains(to))
          << source.path << " must not include " << include.path;
    }
  }
  EXPECT_GT(checked, 100);
}

TEST(Layout, TheModuleGraphHasNoCycle) {
  std::set<std::string> done;
  for (std::size_t round = 0; round <= kMayInclude.size(); ++round) {
    for (const auto& [module, uses] : kMayInclude) {
      if (std::includes(done.begin(), done.end(), uses.begin(), uses.end())) done.insert(module);
    }
  }
  EXPECT_EQ(done.size(), kMayInclude.size());
}

TEST(Layout, ThirdPartyHeadersStayWhereTheyBelong) {
  for (const Source& source : ProductSources()) {
    for (const Include& include : Includes(source)) {
      if (include.ours || IsSystem(include.path)) continue;
      const auto* rule =
          std::find_if(std::begin(kThirdParty), std::end(kThirdParty),
                       [&](const ThirdParty& t) { return include.path.starts_with(t.prefix); });
      if (rule == std::end(kThirdParty)) {
        ADD_FAILURE() << source.path << " includes <" << include.path << ">, which has no rule";
        continue;
      }
      EXPECT_TRUE(testing::Pattern(std::string(rule->files)).MatchesAll(source.path))
          << source.path << " must not include <" << include.path << ">";
    }
  }
}

TEST(Layout, FilesAreSmall) {
  for (const Source& source : AllSources()) {
    EXPECT_LE(source.lines.size(), kLinesMax) << source.path;
  }
}

TEST(Layout, EveryUnitFileDefinesItsUnit) {
  std::size_t units = 0;
  for (const UnitFolder& unit : kUnits) {
    const fs::path folder = fs::path(SLIPWAY_SOURCE_DIR) / unit.folder;
    ASSERT_TRUE(fs::is_directory(folder)) << folder;
    for (const auto& entry : fs::directory_iterator(folder)) {
      if (entry.path().extension() != ".cpp") continue;
      const std::string wanted = std::string(unit.type) + " " + std::string(unit.kind) + "_" +
                                 entry.path().stem().string() + "()";
      const auto lines = Lines(entry.path());
      EXPECT_TRUE(std::any_of(lines.begin(), lines.end(),
                              [&](const std::string& line) { return line.starts_with(wanted); }))
          << entry.path() << " must define " << wanted;
      ++units;
    }
  }
  EXPECT_GT(units, 50U);
}

TEST(Layout, EveryFileSaysItsLicence) {
  for (const Source& source : AllSources()) {
    ASSERT_FALSE(source.lines.empty()) << source.path;
    const std::string& first = source.lines.front();
    EXPECT_TRUE(first == "// SPDX-License-Identifier: Apache-2.0" ||
                first == "/* SPDX-License-Identifier: Apache-2.0 */")
        << source.path << ": " << first;
  }
}

/// What holds that a header is read once: or once for each set of instructions, where Highway
/// compiles it for all of them.
std::string GuardOf(const std::string& path) {
  if (!path.ends_with("_inl.h")) return "#pragma once";
  std::string name = "SLIPWAY_" + path;
  for (char& c : name) {
    c = c == '/' || c == '.' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  }
  return "#if defined(" + name + ") == defined(HWY_TARGET_TOGGLE)";
}

TEST(Layout, HeadersAreGuarded) {
  for (const Source& source : AllSources()) {
    if (!source.path.ends_with(".h") || source.path == "runtime/slipway.h") continue;
    EXPECT_THAT(source.lines, ::testing::Contains(GuardOf(source.path))) << source.path;
  }
}

TEST(Layout, NothingIsLeftForLaterOrSwitchedOff) {
  const testing::Pattern later(
      "\\b(TO"
      "DO|FIX"
      "ME|XX"
      "X)\\b");
  const testing::Pattern off(R"(^\s*(//|/\*)\s*(TEST|TEST_F|TEST_P|EXPECT_\w+|ASSERT_\w+)\()"
                             "|\\bDISABLED"
                             "_");
  for (const Source& source : AllSources()) {
    for (std::size_t i = 0; i < source.lines.size(); ++i) {
      const std::string& line = source.lines[i];
      EXPECT_FALSE(later.IsIn(line) || off.IsIn(line))
          << source.path << ":" << i + 1 << ": " << line;
    }
  }
}

bool IsWord(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

/// The end of the comment or the literal that begins `text`; 0 where none does.
std::size_t EndOfNoCode(std::string_view text, bool in_word) {
  const auto after = [&](std::string_view end, std::size_t from) {
    const std::size_t at = text.find(end, from);
    return at == std::string_view::npos ? text.size() : at + end.size();
  };
  if (text.starts_with("//")) return std::min(text.find('\n'), text.size());
  if (text.starts_with("/*")) return after("*/", 2);
  if (text.starts_with("R\"")) {
    return after(")" + std::string(text.substr(2, text.find('(') - 2)) + "\"", 2);
  }
  if (text[0] != '"' && (text[0] != '\'' || in_word)) return 0;
  std::size_t end = 1;
  while (end < text.size() && text[end] != text[0]) end += text[end] == '\\' ? 2 : 1;
  return std::min(end + 1, text.size());
}

/// The same lines without comments and with `_` for literals.
std::string CodeOf(std::string_view text) {
  std::string code(text);
  for (std::size_t i = 0; i < code.size();) {
    const std::size_t end = EndOfNoCode(text.substr(i), i > 0 && IsWord(text[i - 1]));
    const char fill = text[i] == '/' ? ' ' : '_';
    for (std::size_t k = i; k < i + end; ++k) {
      if (code[k] != '\n') code[k] = fill;
    }
    i += std::max<std::size_t>(end, 1);
  }
  return code;
}

/// What an opening bracket begins.
enum class Opens {
  kBody,    ///< statements or declarations
  kValues,  ///< an initializer's values, a lambda's captures
  kObject,  ///< the arguments of `new`
  kOther,
};

/// Of formatted code, where a space is before the brace of a body and none between a type, or a
/// name, and its initializer. `around`: what the bracket stands in.
Opens WhatOpens(std::string_view code, std::size_t at, Opens around) {
  const std::string_view before = code.substr(0, at);
  const std::string_view told = before.substr(0, before.find_last_not_of(" \n") + 1);
  if (told.empty()) return Opens::kBody;
  if (code[at] == '[') {
    const bool is_index = IsWord(before.back()) || before.back() == ')' || before.back() == ']';
    return is_index ? Opens::kOther : Opens::kValues;
  }
  std::size_t type = at;
  while (type > 0 && (IsWord(code[type - 1]) || std::strchr(":<>", code[type - 1]))) --type;
  if (type < at && before.substr(0, type).ends_with("new ")) return Opens::kObject;
  if (code[at] == '(') return Opens::kOther;
  if (told.back() == '{') return around;
  const bool is_value =
      told.size() == at || std::strchr("=,(", told.back()) != nullptr || told.ends_with("return");
  return is_value ? Opens::kValues : Opens::kBody;
}

/// Where TRY stands. A return out of an object half made ends none of its parts, nor gives it back
/// the memory of `new`: compilers see to that for exceptions alone.
struct TryScan {
  std::size_t seen = 0;
  std::vector<std::size_t> leaks;  ///< lines, from 1, where TRY may leave an object half made
};
/// A first value may be a TRY, as nothing is made before it; not where it is a member's by name,
/// which may not be the first of the members.
TryScan ScanTries(std::string_view text) {
  struct Bracket {
    Opens what = Opens::kBody;
    bool made = false;  ///< something is, when the next value comes
  };
  const std::string code = CodeOf(text);
  std::vector<Bracket> open;
  TryScan scan;
  std::size_t line = 1;
  for (std::size_t i = 0; i < code.size(); ++i) {
    const char c = code[i];
    if (c == '\n') ++line;
    if (c == '(' || c == '[' || c == '{') {
      const Opens what = WhatOpens(code, i, open.empty() ? Opens::kBody : open.back().what);
      open.push_back({what, what == Opens::kObject});
    } else if ((c == ')' || c == ']' || c == '}') && !open.empty()) {
      open.pop_back();
    } else if (c == ',' || (c == '.' && code[code.find_last_not_of(" \n", i - 1)] == '{')) {
      if (!open.empty()) open.back().made = true;
    } else if (code.compare(i, 4, "TRY(") == 0 && (i == 0 || !IsWord(code[i - 1]))) {
      ++scan.seen;
      for (auto outer = open.rbegin(); outer != open.rend() && outer->what != Opens::kBody;
           ++outer) {
        if (outer->what == Opens::kOther || !outer->made) continue;
        scan.leaks.push_back(line);
        break;
      }
    }
  }
  return scan;
}

TEST(Layout, TryReturnsFromNoHalfMadeObject) {
  std::size_t seen = 0;
  for (const Source& source : AllSources()) {
    std::string text;
    for (const std::string& line : source.lines) text += line + "\n";
    const TryScan scan = ScanTries(text);
    seen += scan.seen;
    for (const std::size_t line : scan.leaks) {
      ADD_FAILURE() << source.path << ":" << line << ": " << source.lines[line - 1]
                    << "\n  what was made before would leak: give the value of TRY a statement";
    }
  }
  EXPECT_GT(seen, 1000U);
}

TEST(Layout, AHalfMadeObjectIsKnownByItsBraces) {
  for (const std::string_view leaks : {
           "A a{One(), TRY(Two())};",
           "A a{.one = TRY(One())};",
           "A a{\n    .one = One(),\n    .two = Three(TRY(Two()))};",
           "a = {One(), TRY(Two())};",
           "return A{One(), TRY(Two())};",
           "return {One(), TRY(Two())};",
           "Use(One(), {Two(), TRY(Three())});",
           "list.push_back({One(), TRY(Two())});",
           "std::vector<A> list{{One(), TRY(Two())}};",
           "std::vector<A> list{One(), A(TRY(Two()))};",
           "A a{{One()}, TRY(Two())};",
           "A a{'{', TRY(Two())};",
           "A a{\"}\", /* } */ TRY(Two())};",
           "A a{R\"x(})\"})x\", TRY(Two())};",
           "auto f = [a = One(), b = TRY(Two())] {};",
           "A* a = new A(TRY(One()));",
           "own.reset(new space::A<B>{TRY(One())});",
           "A a{[] { return 1; }(), TRY(Two())};",
       }) {
    EXPECT_EQ(ScanTries(leaks).leaks.size(), 1U) << leaks;
  }
  for (const std::string_view fine : {
           "a.two = TRY(Two());",
           "A a{TRY(One())};",
           "return A{TRY(One()), 2};",
           "Use(One(), TRY(Two()));",
           "if (a) { One(), TRY(Two()); }",
           "int F() {\n  int a, b;\n  TRY(One());\n}",
           "A a{One(), [] { return TRY(Two()); }};",
           "A a{.one = [](int x, int y) -> Result<void> {\n  TRY(Two());\n}};",
           "A a{One()};\nb = TRY(Two());",
           "a[One(), TRY(Two())] = 1;",
           "struct A {\n  int one = 1, two = 2;\n  Result<int> F() { return TRY(One()); }\n};",
           "renew(TRY(One()));",
       }) {
    EXPECT_TRUE(ScanTries(fine).leaks.empty()) << fine;
    EXPECT_EQ(ScanTries(fine).seen, 1U) << fine;
  }
  EXPECT_EQ(ScanTries("A a{1'000, \"TRY(\", RETRY(One()), R\"(TRY()\"};  // TRY(Two())").seen, 0U);
  EXPECT_EQ(ScanTries("A a{\n    One(),\n    TRY(Two())};").leaks, std::vector<std::size_t>{3});
}

TEST(Layout, EveryModuleHasAShortReadme) {
  for (std::string_view module : kModules) {
    const fs::path readme = fs::path(SLIPWAY_SOURCE_DIR) / module / "README.md";
    EXPECT_TRUE(fs::exists(readme)) << readme;
    EXPECT_LE(Lines(readme).size(), kReadmeLinesMax) << readme;
  }
}

}  // namespace
}  // namespace slipway
