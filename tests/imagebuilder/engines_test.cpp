// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "imagebuilder/imagebuilder.h"
#include "tests/imagebuilder/run_program.h"

namespace slipway::imagebuilder {
namespace {

namespace fs = std::filesystem;
using testing::BlobFixture;
using testing::Slurp;

/// A built image whose server program prints files, saved in every form.
class Engines : public ::testing::Test {
 protected:
  void SetUp() override {
    const BuildSpec spec{
        .models = {{.name = "digits",
                    .version = 3,
                    .main_file = "m.onnx",
                    .files = {{.path = "m.onnx", .source = place_.Write("m", "weights")}}}},
        .server_program = "/bin/cat"};
    const auto cache = MakeMemoryLayerCache();
    BuildContext context{.blobs = place_.blobs(), .cache = *cache};
    const auto image = Build(spec, context);
    ASSERT_TRUE(image.has_value()) << image.error().message;
    ASSERT_TRUE(Validate(place_.blobs(), *image).has_value());
    image_ = *image;
    for (const Unit<OutputType>& unit : outputs_table()) {
      const OutputType output = unit.make();
      const auto written =
          output.write(place_.blobs(), image_, "slipway-test/digits:3", place_ / output.name);
      ASSERT_TRUE(written.has_value()) << written.error().message;
    }
  }

  BlobFixture place_;
  Image image_;
};

constexpr std::string_view kServeJson =
    R"({"models":[{"name":"digits","path":"/var/azureml-app/azureml-models/digits/3/m.onnx",)"
    R"("version":3}],"port":5001})";

TEST_F(Engines, SkopeoReadsEveryForm) {
  const fs::path skopeo = FindProgram("skopeo");
  if (skopeo.empty()) GTEST_SKIP() << "skopeo is not installed";
  const std::string folder = place_.folder();
  for (const std::string& source :
       {"oci:" + folder + "/oci-dir:slipway-test/digits:3",
        "oci-archive:" + folder + "/oci-archive", "docker-archive:" + folder + "/docker-archive"}) {
    const Ran ran = RunProgram({skopeo, "inspect", source});
    ASSERT_EQ(ran.status, 0) << source << ": " << ran.output;
    const auto json = ParseJson(ran.output);
    ASSERT_TRUE(json.has_value()) << ran.output;
    EXPECT_EQ((*json)["Architecture"], "amd64");
    EXPECT_EQ((*json)["Layers"].size(), image_.layers.size());
    if (source.starts_with("oci")) {
      EXPECT_EQ((*json)["Digest"], image_.manifest.digest);
    }
  }
}

TEST_F(Engines, SkopeoCopiesWithoutChange) {
  const fs::path skopeo = FindProgram("skopeo");
  if (skopeo.empty()) GTEST_SKIP() << "skopeo is not installed";
  const std::string copy = place_ / "copy";
  const Ran ran =
      RunProgram({skopeo, "--insecure-policy", "copy",
                  "oci-archive:" + (place_ / "oci-archive").string(), "oci:" + copy + ":x"});
  ASSERT_EQ(ran.status, 0) << ran.output;
  const std::string hex = image_.manifest.digest.substr(7);
  EXPECT_EQ(Digest::OfText(Slurp(copy + "/blobs/sha256/" + hex)).hex(), hex);
}

std::map<std::string, std::string> Tree(const fs::path& root) {
  std::map<std::string, std::string> tree;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(root)) {
    const std::string path = entry.path().lexically_relative(root);
    if (entry.is_symlink()) {
      tree[path] = "link " + fs::read_symlink(entry.path()).string();
    } else {
      tree[path] = entry.is_directory() ? "folder" : Digest::OfFile(entry.path())->text();
    }
  }
  return tree;
}

TEST_F(Engines, UmociUnpacksTheSameTree) {
  const fs::path umoci = FindProgram("umoci");
  if (umoci.empty()) GTEST_SKIP() << "umoci is not installed";
  std::vector<std::string> command = {umoci, "unpack", "--image",
                                      (place_ / "oci-dir").string() + ":slipway-test/digits:3",
                                      place_ / "bundle"};
  if (::geteuid() != 0) command.insert(command.begin() + 2, "--rootless");
  const Ran ran = RunProgram(command);
  ASSERT_EQ(ran.status, 0) << ran.output;
  const auto rootfs = Unpack(place_.blobs(), image_, place_ / "ours", place_ / "shared");
  ASSERT_TRUE(rootfs.has_value()) << rootfs.error().message;
  EXPECT_EQ(Tree(*rootfs), Tree(place_ / "bundle/rootfs"));
}

/// As target `process` does it: every path of the entrypoint is one in the unpacked image.
TEST_F(Engines, UnpackedImageStartsOnTheMachine) {
  const auto rootfs = Unpack(place_.blobs(), image_, place_ / "ours", place_ / "shared");
  ASSERT_TRUE(rootfs.has_value()) << rootfs.error().message;
  const auto run = ReadRunConfig(place_.blobs(), image_);
  ASSERT_TRUE(run.has_value());
  std::vector<std::string> command;
  for (const std::string& word : run->entrypoint) {
    if (word != "--config")
      command.push_back(word.starts_with('/') ? rootfs->string() + word : word);
  }
  const Ran ran = RunProgram(command);
  EXPECT_EQ(ran.status, 0) << ran.output;
  EXPECT_EQ(ran.output, std::string(kServeJson) + "\n");
}

class Podman {
 public:
  Podman(fs::path program, const fs::path& folder)
      : base_{std::move(program), "--root", folder / "store", "--runroot", folder / "run",
              "--storage-driver", "vfs",    "--runtime",      "runc",      "--cgroup-manager",
              "cgroupfs"} {}
  Ran Run(const std::vector<std::string>& more) const {
    std::vector<std::string> command = base_;
    command.insert(command.end(), more.begin(), more.end());
    return RunProgram(command);
  }

 private:
  std::vector<std::string> base_;
};

TEST_F(Engines, PodmanLoadsAndRunsEveryArchive) {
  const fs::path program = FindProgram("podman");
  if (program.empty() || FindProgram("runc").empty()) {
    GTEST_SKIP() << "podman and runc are not installed";
  }
  const Podman podman(program, place_.folder() / "podman");
  const Ran info = podman.Run({"info"});
  if (info.status != 0) GTEST_SKIP() << "podman does not work here: " << info.output;
  for (const char* archive : {"docker-archive", "oci-archive"}) {
    const Ran load = podman.Run({"load", "-i", place_ / archive});
    ASSERT_EQ(load.status, 0) << load.output;
    EXPECT_NE(load.output.find("slipway-test/digits:3"), std::string::npos) << load.output;
    for (const char* words : {R"(["/opt/slipway/bin/slipway-serve"])",
                              R"(["/opt/slipway/lib/ld-linux-x86-64.so.2","--inhibit-cache",)"
                              R"("--library-path","/opt/slipway/lib",)"
                              R"("/opt/slipway/bin/slipway-serve"])"}) {
      const Ran ran = podman.Run({"run", "--rm", "--network", "host", "--ulimit",
                                  "nofile=1024:1024", "--ulimit", "nproc=1024:1024", "--entrypoint",
                                  words, "localhost/slipway-test/digits:3",
                                  "/opt/slipway/serve.json", "/proc/self/status"});
      ASSERT_EQ(ran.status, 0) << ran.output;
      EXPECT_TRUE(ran.output.starts_with(kServeJson)) << ran.output;
      EXPECT_NE(ran.output.find("Uid:\t65532"), std::string::npos) << ran.output;
    }
    EXPECT_EQ(podman.Run({"rmi", "--all", "--force"}).status, 0);
  }
}

TEST_F(Engines, DockerLoadsAndRunsTheArchive) {
  const fs::path docker = FindProgram("docker");
  if (docker.empty()) GTEST_SKIP() << "docker is not installed";
  if (RunProgram({docker, "info"}).status != 0) GTEST_SKIP() << "no docker daemon answers";
  const Ran load = RunProgram({docker, "load", "-i", place_ / "docker-archive"});
  ASSERT_EQ(load.status, 0) << load.output;
  const Ran ran = RunProgram({docker, "run", "--rm", "--network", "none", "--entrypoint",
                              "/opt/slipway/bin/slipway-serve", "slipway-test/digits:3",
                              "/opt/slipway/serve.json"});
  EXPECT_EQ(ran.status, 0) << ran.output;
  EXPECT_EQ(ran.output, std::string(kServeJson) + "\n");
  EXPECT_EQ(RunProgram({docker, "rmi", "slipway-test/digits:3"}).status, 0);
}

}  // namespace
}  // namespace slipway::imagebuilder
