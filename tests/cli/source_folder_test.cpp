// SPDX-License-Identifier: Apache-2.0
/// What of a folder of sources goes into an image: git is asked the same.
#include "cli/source_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <set>
#include <string>

#include "base/file.h"
#include "base/process.h"
#include "base/text.h"
#include "cli/ignore_pattern.h"
#include "tests/support/tempdir.h"

namespace slipway::cli {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class SourceFolder : public ::testing::Test {
 protected:
  void Write(const std::string& path, const std::string& content = "x") {
    ASSERT_TRUE(MakeFolders((root_ / path).parent_path()));
    ASSERT_TRUE(WriteFileAtomic(root_ / path, content));
  }
  std::vector<std::string> Taken() {
    const auto files = FindSourceFiles(root_);
    if (!files) return {files.error().id + ": " + files.error().message};
    std::vector<std::string> paths;
    for (const ModelSource& file : *files) paths.push_back(file.path);
    return paths;
  }
  /// Runs git in the folder; what it wrote to a file of its choice is read by the caller.
  bool Git(std::vector<std::string> words) {
    words.insert(words.begin(), {"git", "-c", "core.excludesFile=/dev/null"});
    fs::remove(folder_ / "out");
    const auto git =
        Spawn({.argv = words,
               .environment = {"PATH=/usr/bin:/bin", "HOME=" + folder_.path().string()},
               .folder = root_,
               .log = folder_ / "out"});
    return git && WaitForExit(*git, std::chrono::seconds(30)) == 0;
  }
  std::vector<std::string> GitTakes() {
    EXPECT_TRUE(Git({"ls-files", "--others", "--exclude-standard", "-z"}));
    const auto text = ReadFile(folder_ / "out", 1 << 20);
    if (!text) return {text.error().message};
    std::vector<std::string> paths = Split(*text, '\0');
    std::erase(paths, "");
    std::ranges::sort(paths);
    return paths;
  }

  testing::TempDir folder_;
  const fs::path root_ = folder_ / "src";
};

TEST_F(SourceFolder, GitTakesTheSame) {
  const std::vector<std::string> paths = {"a",
                                          "b.py",
                                          "a.log",
                                          "debug.log",
                                          "build/x",
                                          "build/keep/y",
                                          "lib/build/z",
                                          "lib/a.py",
                                          "lib/deep/er/b.py",
                                          "lib/deep/b.log",
                                          "docs/a/b/c.txt",
                                          "docs/c.txt",
                                          "x y",
                                          "!odd",
                                          "#odd",
                                          "back\\slash",
                                          "[b]",
                                          "star*",
                                          "data/1.csv",
                                          "data/2.csv",
                                          "data/sub/3.csv",
                                          "end ",
                                          "ab-c"};
  const std::vector<std::string> lines = {"*.log",
                                          "!debug.log",
                                          "build",
                                          "build/",
                                          "/build",
                                          "/build/",
                                          "build/*",
                                          "!build/keep",
                                          "!build/keep/",
                                          "lib/*.py",
                                          "lib/**",
                                          "lib/**/b.py",
                                          "**/b.py",
                                          "**/build",
                                          "docs/**/c.txt",
                                          "docs/a/**",
                                          "/a",
                                          "a",
                                          "?",
                                          "x\\ y",
                                          "\\!odd",
                                          "\\#odd",
                                          "# a comment",
                                          "",
                                          "   ",
                                          "[b]",
                                          "\\[b\\]",
                                          "star\\*",
                                          "data/[0-9].csv",
                                          "data/[!1].csv",
                                          "data/[^2].csv",
                                          "data/[[:digit:]].*",
                                          "data/[1-",
                                          "data/**/3.csv",
                                          "end\\ ",
                                          "end ",
                                          "*",
                                          "!*/",
                                          "!lib/",
                                          "!*.py",
                                          "**",
                                          "/**",
                                          "back\\\\slash",
                                          "trailing\\",
                                          "a**",
                                          "**a",
                                          "l*/deep",
                                          "ab[,--]c",
                                          "[]a]",
                                          "[a-c]",
                                          "[[:x:]]",
                                          "li[b/]a.py",
                                          "do[!c]s",
                                          "/*",
                                          "!/lib",
                                          "deep/",
                                          "*.py  ",
                                          "data//1.csv",
                                          "!data/1.csv"};
  for (const std::string& path : paths) Write(path);
  if (!Git({"init", "-q", "."})) GTEST_SKIP() << "there is no git";
  std::mt19937 random(20260311);
  for (int round = 0; round < 150; ++round) {
    std::string told;
    for (const char* place : {".gitignore", "lib/.gitignore", "data/.gitignore"}) {
      fs::remove(root_ / place);
      if (random() % 3 == 0) continue;
      std::string text;
      for (std::size_t i = 0; i < 1 + random() % 6; ++i) {
        text += lines[random() % lines.size()] + "\n";
      }
      Write(place, text);
      told += std::string(place) + ":\n" + text;
    }
    ASSERT_EQ(Taken(), GitTakes()) << told;
  }
}

TEST_F(SourceFolder, AmlignoreComesBeforeGitignore) {
  Write("a.txt");
  Write("b.txt");
  Write(".gitignore", "a.txt\n");
  EXPECT_THAT(Taken(), ElementsAre(".gitignore", "b.txt"));
  Write(".amlignore",
        "\xEF\xBB\xBF"
        "b.txt\r\n.*\r\n");
  EXPECT_THAT(Taken(), ElementsAre("a.txt"));
}

TEST_F(SourceFolder, WhatToolsKeepAndTheWorkspaceFileStayAtHome) {
  for (const char* path : {"score.py", ".git/config", ".azureml/config.json", "lib/__pycache__/a",
                           "aml_config/config.json", ".ipynb_checkpoints/a", "git"}) {
    Write(path);
  }
  EXPECT_THAT(Taken(), ElementsAre("git", "score.py"));
}

TEST_F(SourceFolder, LinksAndOddFilesAreRefusedUnlessLeftOut) {
  Write("score.py");
  fs::create_symlink("/etc", root_ / "outside");
  EXPECT_THAT(Taken(), ElementsAre(HasSubstr("Source.Link: ")));
  EXPECT_THAT(Taken().front(), HasSubstr("outside is a link to /etc"));
  fs::create_symlink("score.py", root_ / "inside");
  Write(".amlignore", "outside\n.amlignore\n");
  EXPECT_THAT(Taken(), ElementsAre(HasSubstr("inside is a link to score.py")));
  Write(".amlignore", "*side\n.amlignore\n");
  EXPECT_THAT(Taken(), ElementsAre("score.py"));
  ASSERT_EQ(::mkfifo((root_ / "pipe").c_str(), 0600), 0);
  EXPECT_THAT(Taken(), ElementsAre(HasSubstr("Source.File: ")));
}

TEST_F(SourceFolder, TooManyAndTooLargeAreRefused) {
  Write("big");
  fs::resize_file(root_ / "big", (std::uintmax_t{1} << 30) + 1);
  EXPECT_THAT(Taken(), ElementsAre(HasSubstr("Source.TooLarge: ")));
  fs::remove(root_ / "big");
  for (int i = 0; i <= 10'000; ++i) std::ofstream(root_ / std::to_string(i)) << "x";
  EXPECT_THAT(Taken(), ElementsAre(HasSubstr("Source.TooLarge: ")));
  Write(".gitignore", "[1-9]*\n");
  EXPECT_THAT(Taken(), ElementsAre(".gitignore", "0"));
  EXPECT_EQ(FindSourceFiles(root_ / "0").error().id, "Source.NotFolder");
}

TEST(IgnorePatternTest, TakesNoLongerForPatternsMadeToBeSlow) {
  std::string slow;
  for (int i = 0; i < 200; ++i) slow += "*a";
  const auto pattern = IgnorePattern::Parse(slow + "b");
  ASSERT_TRUE(pattern);
  EXPECT_FALSE(pattern->Fits(std::string(4000, 'a'), false));
  std::string deep;
  for (int i = 0; i < 100; ++i) deep += "**/a/";
  EXPECT_FALSE(IgnorePattern::Parse(deep + "b")->Fits(std::string(2000, '/'), false));
}

}  // namespace
}  // namespace slipway::cli
