// SPDX-License-Identifier: Apache-2.0
/// The architecture as data: who may include whom, where third-party headers may appear, how long
/// a file may be, what every unit file defines.
#include <gtest/gtest.h>

#include <algorithm>
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
    {"nlohmann/json.hpp", R"(.*\.cpp|base/json_precompiled\.h)"},
    {"fmt/", R"(.*\.cpp)"},
    {"boost/", R"(base/http/(server[a-z_]*|request_parser|connection|session)\.cpp)"},
    {"curl/", R"(base/http/(client|retry|transfer|transfer_state)\.cpp)"},
    {"openssl/", R"(base/[a-z_]+\.cpp)"},
    {"onnx/", R"(runtime/graph/onnx_reader[a-z_]*\.cpp)"},
    {"google/protobuf/", R"(runtime/graph/onnx_reader[a-z_]*\.cpp)"},
    {"dnnl.hpp",
     R"(runtime/((ops|kernels)/[a-z_0-9]+\.cpp|device/cpu\.(h|cpp)|kernels/dnnl_helpers\.h))"},
    {"dnnl_threadpool_iface.hpp", R"(runtime/device/[a-z_0-9]+\.cpp)"},
    {"omp.h", R"(runtime/.*\.cpp)"},
    {"re2/", R"(runtime/ops/[a-z_0-9]+\.cpp)"},
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

TEST(Layout, HeadersAreGuarded) {
  for (const Source& source : AllSources()) {
    if (!source.path.ends_with(".h")) continue;
    EXPECT_TRUE(std::find(source.lines.begin(), source.lines.end(), "#pragma once") !=
                    source.lines.end() ||
                source.path == "runtime/slipway.h")
        << source.path;
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

TEST(Layout, EveryModuleHasAShortReadme) {
  for (std::string_view module : kModules) {
    const fs::path readme = fs::path(SLIPWAY_SOURCE_DIR) / module / "README.md";
    EXPECT_TRUE(fs::exists(readme)) << readme;
    EXPECT_LE(Lines(readme).size(), kReadmeLinesMax) << readme;
  }
}

}  // namespace
}  // namespace slipway
