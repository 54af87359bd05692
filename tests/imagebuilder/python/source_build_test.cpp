// SPDX-License-Identifier: Apache-2.0
#include "imagebuilder/python/source_build.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "imagebuilder/python/conda_file.h"
#include "imagebuilder/python/environment_plan.h"
#include "imagebuilder/python/tools.h"
#include "tests/imagebuilder/run_program.h"
#include "tests/support/image_fixture.h"

namespace slipway::imagebuilder {
namespace {

namespace fs = std::filesystem;
using testing::BlobFixture;
using ::testing::HasSubstr;

std::vector<std::string> Surroundings() {
  std::vector<std::string> variables;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    variables.emplace_back(*variable);
  }
  return variables;
}

/// Makes a source archive: FOLDER NAME VERSION SETUP [FILE TEXT]...
constexpr const char* kMakeSource = R"(
import io, sys, tarfile
folder, name, version, *files = sys.argv[1:]
stem = "%s-%s" % (name, version)
with tarfile.open("%s/%s.tar.gz" % (folder, stem), "w:gz") as archive:
    for path, text in zip(files[::2], files[1::2]):
        info = tarfile.TarInfo(stem + "/" + path)
        info.size = len(text.encode())
        archive.addfile(info, io.BytesIO(text.encode()))
)";

/// Builds on Debian's packages and the machine's index, where it can reach them.
class SourceBuilds : public ::testing::Test {
 protected:
  static BlobFixture& place() {
    static BlobFixture fixture;
    return fixture;
  }
  static PythonTools& tools() {
    static PythonTools made({.folder = place() / "python", .environment = Surroundings()},
                            place().blobs());
    return made;
  }
  void SetUp() override {
    fs::create_directories(place() / "index");
    const auto lock = Resolve("setuptools", tools());
    if (!lock && lock.error().code == Code::kUnavailable) GTEST_SKIP() << lock.error().message;
    ASSERT_TRUE(lock.has_value()) << lock.error().message;
  }
  void MakeSource(const std::string& name, const std::vector<std::string>& files) {
    std::vector<std::string> argv = {"python3", "-c", kMakeSource, place() / "index", name, "1.0"};
    argv.insert(argv.end(), files.begin(), files.end());
    const Ran made = RunProgram(argv);
    ASSERT_EQ(made.status, 0) << made.output;
  }
  Result<PythonLock> Resolve(const std::string& requirement, PythonTools& with) {
    said_.clear();
    const CondaFile file =
        TRY(ParseCondaFile("dependencies:\n- pip:\n  - --find-links " +
                           (place() / "index").string() + "\n  - " + requirement + "\n"));
    const EnvironmentPlan plan = TRY(PlanEnvironment(file, {}, {}));
    const WorkHooks hooks{.say = [this](std::string_view line) { (said_ += line) += "\n"; }};
    const fs::path scratch = TRY(MakeTempFolder(place().folder(), "scratch-"));
    return with.Resolve(plan, std::nullopt, scratch, hooks);
  }

  std::string said_;
};

constexpr const char* kSetup =
    "import os, socket\nfrom setuptools import setup\n"
    "reached = 'no'\n"
    "try:\n    socket.create_connection(('127.0.0.1', 1), 1)\n"
    "except ConnectionRefusedError:\n    reached = 'yes'\nexcept OSError:\n    pass\n"
    "open('pure_thing.py', 'w').write('NETWORK = %r\\nUSER = %r\\n' % (reached, os.getuid()))\n"
    "setup(name='pure-thing', version='1.0', py_modules=['pure_thing'], "
    "install_requires=['six'])\n";

TEST_F(SourceBuilds, PurePythonIsBuiltAndLocked) {
  MakeSource("pure_thing", {"setup.py", kSetup, "PKG-INFO", "Name: pure-thing\nVersion: 1.0\n"});
  const auto lock = Resolve("pure-thing", tools());
  if (!lock && lock.error().message.find("no container") != std::string::npos) {
    GTEST_SKIP() << lock.error().message;
  }
  ASSERT_TRUE(lock.has_value()) << lock.error().message;
  ASSERT_EQ(lock->wheels.size(), 2U);
  EXPECT_EQ(lock->wheels[0].name, "pure-thing");
  EXPECT_EQ(lock->wheels[1].name, "six");
  ASSERT_EQ(lock->built.size(), 1U);
  EXPECT_EQ(lock->built[0].wheel, lock->wheels[0].digest);
  EXPECT_EQ(lock->built[0].source.file, "pure_thing-1.0.tar.gz");
  EXPECT_FALSE(lock->built[0].needs.empty());
  EXPECT_EQ(lock->wheels[0].url, "");
  EXPECT_THAT(said_, HasSubstr("building a wheel of pure-thing 1.0 without a network"));
  const auto read = ParseLock(LockText(*lock));
  ASSERT_TRUE(read.has_value()) << read.error().message;
  EXPECT_EQ(*read, *lock);

  // Elsewhere, with the lock alone, the same wheel comes of it, and what it holds was made offline.
  BlobFixture other;
  PythonTools others({.folder = place() / "python", .environment = Surroundings()}, other.blobs());
  const auto scratch = MakeTempFolder(other.folder(), "scratch-");
  ASSERT_TRUE(scratch.has_value());
  const auto root = others.DebianTree(*read, *scratch, {});
  ASSERT_TRUE(root.has_value()) << root.error().message;
  const auto installed = others.InstallWheels(*read, *root, other / "tree", *scratch, {});
  ASSERT_TRUE(installed.has_value()) << installed.error().message;
  const std::string made = testing::Slurp(
      other / "tree" / fs::path(read->python.pure).relative_path() / "pure_thing.py");
  EXPECT_EQ(made, "NETWORK = 'no'\nUSER = 0\n");
}

TEST_F(SourceBuilds, WhatNeedsACompilerIsRefusedPlainly) {
  MakeSource("compiled_thing",
             {"setup.py",
              "from setuptools import setup, Extension\n"
              "setup(name='compiled-thing', version='1.0',\n"
              "      ext_modules=[Extension('compiled_thing', ['x.c'])])\n",
              "x.c", "int x;\n", "PKG-INFO", "Name: compiled-thing\nVersion: 1.0\n"});
  const auto lock = Resolve("compiled-thing", tools());
  ASSERT_FALSE(lock.has_value());
  EXPECT_EQ(lock.error().id, "Image.NoWheel");
  EXPECT_THAT(lock.error().message, HasSubstr("compiled-thing 1.0 has no wheel"));
  if (lock.error().message.find("no container") != std::string::npos) {
    GTEST_SKIP() << lock.error().message;
  }
  EXPECT_THAT(lock.error().message, HasSubstr("compiler"));
  EXPECT_EQ(lock.error().message.find('\n'), std::string::npos);
  EXPECT_FALSE(lock.error().fix.empty());
}

TEST_F(SourceBuilds, WhatCannotBeBuiltSaysWhy) {
  MakeSource("broken_thing", {"setup.py", "import absent_module\n", "PKG-INFO",
                              "Name: broken-thing\nVersion: 1.0\n"});
  const auto lock = Resolve("broken-thing", tools());
  ASSERT_FALSE(lock.has_value());
  EXPECT_EQ(lock.error().id, "Image.NoWheel");
  if (lock.error().message.find("no container") != std::string::npos) {
    GTEST_SKIP() << lock.error().message;
  }
  EXPECT_THAT(lock.error().message, HasSubstr("absent_module"));

  MakeSource("odd_thing", {"pyproject.toml", "[build-system\n", "PKG-INFO", "Name: odd-thing\n"});
  const auto odd = Resolve("odd-thing", tools());
  ASSERT_FALSE(odd.has_value());
  EXPECT_THAT(odd.error().message, HasSubstr("odd_thing-1.0.tar.gz is no source archive"));
}

}  // namespace
}  // namespace slipway::imagebuilder
