// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "imagebuilder/imagebuilder.h"
#include "imagebuilder/python/conda_file.h"
#include "imagebuilder/python/python_place.h"
#include "imagebuilder/python/tools.h"
#include "tests/imagebuilder/run_program.h"
#include "tests/support/image_fixture.h"

namespace slipway::imagebuilder {
namespace {

namespace fs = std::filesystem;
using testing::BlobFixture;

std::vector<std::string> Surroundings() {
  std::vector<std::string> variables;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    variables.emplace_back(*variable);
  }
  return variables;
}

/// Builds images with Python from Debian's packages and the machine's Python index, where it can
/// reach them; the first build says whether it can.
class PythonImage : public ::testing::Test {
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
    const auto lock = Resolve("dependencies:\n- pip:\n  - six\n");
    if (!lock && lock.error().code == Code::kUnavailable) GTEST_SKIP() << lock.error().message;
    ASSERT_TRUE(lock.has_value()) << lock.error().message;
  }

  Result<PythonLock> Resolve(std::string_view conda) {
    const CondaFile file = TRY(ParseCondaFile(conda));
    const EnvironmentPlan plan = TRY(PlanEnvironment(file, {}, {}));
    return Resolve(plan);
  }
  Result<PythonLock> Resolve(const EnvironmentPlan& plan) {
    const WorkHooks hooks{.say = [this](std::string_view line) { said_.emplace_back(line); }};
    const fs::path scratch = TRY(MakeTempFolder(place().folder(), "scratch-"));
    return tools().Resolve(plan, std::nullopt, scratch, hooks);
  }

  BuildSpec MakeSpec(PythonLock lock) {
    PythonSpec python{.lock = std::move(lock), .entry = "score.py"};
    python.files = {{.path = "score.py", .source = place().Write("score.py", "def init(): pass\n")},
                    {.path = "lib/help.py", .source = place().Write("help.py", "A = 1\n")}};
    fs::create_directories(place() / "modules/worker");
    python.modules = place() / "modules";
    place().Write("modules/worker/slipway_worker.py", "pass\n");
    return {.models = {},
            .server_program = "/bin/cat",
            .python = std::make_shared<const PythonSpec>(std::move(python))};
  }

  Result<Image> BuildIt(const BuildSpec& spec, PythonTools& with, BlobStore& blobs) {
    const auto cache = MakeMemoryLayerCache();
    const fs::path scratch = TRY(MakeTempFolder(place().folder(), "scratch-"));
    BuildContext context{.blobs = blobs, .cache = *cache, .tools = &with, .scratch = scratch};
    const Image image = TRY(Build(spec, context));
    TRY(Validate(blobs, image));
    return image;
  }

  std::vector<std::string> said_;
};

TEST_F(PythonImage, RunsNumpyFromTheUnpackedTreeAndInAChroot) {
  const auto lock = Resolve(
      "name: project_environment\ndependencies:\n- python=3.6.2\n- numpy\n- pip:\n"
      "  - azureml-defaults\n  - onnxruntime\n");
  ASSERT_TRUE(lock.has_value()) << lock.error().message;
  EXPECT_EQ(lock->provided, (std::vector<std::string>{"azureml-defaults", "onnxruntime"}));
  ASSERT_EQ(lock->wheels.size(), 1U);
  EXPECT_EQ(lock->wheels[0].name, "numpy");
  const auto image = BuildIt(MakeSpec(*lock), tools(), place().blobs());
  ASSERT_TRUE(image.has_value()) << image.error().message;
  EXPECT_LT(image->compressed_size, 60'000'000);
  const auto root = Unpack(place().blobs(), *image, place() / "unpacked", place() / "layers");
  ASSERT_TRUE(root.has_value()) << root.error().message;

  std::vector<std::string> argv = PythonCommand(*root, lock->python);
  const std::string script =
      "import numpy, ssl, ctypes, sqlite3, sys; assert numpy.dot([1, 2], [3, 4]) == 11; "
      "print('from', numpy.__file__, sys.prefix, len(ssl.create_default_context().get_ca_certs()))";
  argv.insert(argv.end(), {"-c", script});
  argv.insert(argv.begin(), {"/usr/bin/env", "-i",
                             "PYTHONHOME=" + (*root / lock->python.home.substr(1)).string()});
  const Ran outside = RunProgram(argv);
  EXPECT_EQ(outside.status, 0) << outside.output;
  EXPECT_NE(outside.output.find("from " + root->string()), std::string::npos) << outside.output;
  if (::geteuid() != 0) return;
  const Ran inside =
      RunProgram({"/usr/sbin/chroot", root->string(), lock->python.interpreter, "-c", script});
  EXPECT_EQ(inside.status, 0) << inside.output;
  EXPECT_NE(inside.output.find("from /usr/"), std::string::npos) << inside.output;
  EXPECT_EQ(inside.output.find(" 0\n"), std::string::npos) << inside.output;
}

TEST_F(PythonImage, TheSameLockGivesTheSameDigestElsewhere) {
  const auto lock = Resolve("dependencies:\n- pip:\n  - six\n  - click\n");
  ASSERT_TRUE(lock.has_value()) << lock.error().message;
  const auto read = ParseLock(LockText(*lock));
  ASSERT_TRUE(read.has_value()) << read.error().message;
  EXPECT_EQ(*read, *lock);
  const auto first = BuildIt(MakeSpec(*lock), tools(), place().blobs());
  ASSERT_TRUE(first.has_value()) << first.error().message;

  BlobFixture other;
  PythonTools others({.folder = other / "python", .environment = Surroundings()}, other.blobs());
  const auto second = BuildIt(MakeSpec(*read), others, other.blobs());
  ASSERT_TRUE(second.has_value()) << second.error().message;
  EXPECT_EQ(second->manifest.digest, first->manifest.digest);
}

TEST_F(PythonImage, NamesWhatCannotBeHad) {
  const std::pair<const char*, const char*> cases[] = {
      {"slipway-no-such-package-2f9c", "Image.NoSuchPackage"},
      {"six==99.99", "Image.NoSuchVersion"},
      {"numpy==1.16.2", "Image.NoWheel"},
  };
  for (const auto& [requirement, id] : cases) {
    const auto lock = Resolve(std::string("dependencies:\n- pip:\n  - ") + requirement + "\n");
    ASSERT_FALSE(lock.has_value()) << requirement;
    EXPECT_EQ(lock.error().id, id) << lock.error().message;
    EXPECT_NE(lock.error().message.find(
                  std::string(requirement).substr(0, std::string(requirement).find('='))),
              std::string::npos)
        << lock.error().message;
    EXPECT_EQ(lock.error().message.find('\n'), std::string::npos) << lock.error().message;
  }
  const auto conflict = Resolve("dependencies:\n- pip:\n  - scikit-learn==1.2.2\n  - numpy<1.10\n");
  ASSERT_FALSE(conflict.has_value());
  EXPECT_TRUE(conflict.error().id == "Image.Conflict" || conflict.error().id == "Image.NoWheel")
      << conflict.error().id << conflict.error().message;
  EnvironmentPlan debian;
  debian.debian = {"slipway-no-such-package"};
  const auto missing = Resolve(debian);
  ASSERT_FALSE(missing.has_value());
  EXPECT_EQ(missing.error().id, "Image.NoSuchPackage") << missing.error().message;
}

TEST_F(PythonImage, SaysWhichIndexCannotBeReached) {
  const auto lock = Resolve(
      "dependencies:\n- pip:\n  - --index-url http://127.0.0.1:9/simple\n"
      "  - slipway-no-such-package-2f9c\n");
  ASSERT_FALSE(lock.has_value());
  EXPECT_EQ(lock.error().id, "Image.IndexUnreachable") << lock.error().message;
  EXPECT_NE(lock.error().message.find("127.0.0.1"), std::string::npos) << lock.error().message;
}

TEST_F(PythonImage, EndsSoonWhenCancelled) {
  const WorkHooks hooks{.cancelled = [] { return true; }};
  EnvironmentPlan plan;
  plan.requirements = {"six"};
  const auto scratch = MakeTempFolder(place().folder(), "scratch-");
  ASSERT_TRUE(scratch.has_value());
  const auto lock = tools().Resolve(plan, std::nullopt, *scratch, hooks);
  ASSERT_FALSE(lock.has_value());
  EXPECT_EQ(lock.error().id, "Image.Cancelled");
}

}  // namespace
}  // namespace slipway::imagebuilder
