// SPDX-License-Identifier: Apache-2.0
#include "workspace/image_verify.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "tests/support/script.h"
#include "tests/support/tempdir.h"
#include "tests/workspace/fixture.h"
#include "workspace/images.h"

namespace slipway::workspace {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

constexpr const char* kBuild = R"(
POST /api/v1/workspaces {"name": "lab"}
---- 201

PUT /api/v1/workspaces/lab/blobs/${sha256:tiny.onnx} @tiny.onnx
---- 201

POST /api/v1/workspaces/lab/models {"name": "tiny", "files": [{"path": "tiny.onnx", "digest": "${sha256:tiny.onnx}"}]}
---- 201

POST /api/v1/workspaces/lab/images {"name": "app", "models": ["tiny"]}
---- 202
{"id": "<=op>"}

WAIT /api/v1/operations/${op} Succeeded
)";

constexpr const char* kVerify = R"(
POST /api/v1/workspaces/lab/images/app/versions/1/verify
---- 202
{"id": "<=op>"}

)";

constexpr const char* kVerifyExactly = R"(
POST /api/v1/workspaces/lab/images/app/versions/1/verify?exact=true
---- 202
{"id": "<=op>"}

WAIT /api/v1/operations/${op} Failed
---- 200
{"error_code": "Image.OtherBuild"}
)";

class ImageVerify : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!fs::exists(ServeProgram())) GTEST_SKIP() << ServeProgram() << " is not built";
    ASSERT_TRUE(MakeFolders(folder_ / "files"));
    WriteModelFiles(folder_ / "files");
    Start();
    Run(kBuild);
  }
  void TearDown() override { ::unsetenv("SLIPWAY_SERVE"); }

  void Start() {
    running_.reset();
    running_ = std::make_unique<RunningWorkspace>(folder_ / "state");
    ASSERT_TRUE(running_->ok());
  }
  void Run(const std::string& text) {
    const auto steps = testing::ParseScript(text);
    ASSERT_TRUE(steps) << steps.error().message;
    const auto ran = testing::RunScript(
        *steps, {.folders = {folder_ / "files"},
                 .headers = {{"Authorization", "Bearer " + running_->workspace().token()}},
                 .send = [this](const http::Request& request) { return running_->Send(request); }});
    EXPECT_TRUE(ran) << ran.error().message;
  }
  api::Image Image() {
    const auto image = running_->workspace().store().GetImage("lab", {"app", 1});
    EXPECT_TRUE(image) << image.error().message;
    return image ? *image : api::Image();
  }
  /// A scoring server of another digest that does the same.
  fs::path OtherServer(const std::string& name) {
    const fs::path other = folder_ / name / "bin/slipway-serve";
    fs::create_directories(other.parent_path());
    fs::copy_file(ServeProgram(), other);
    std::ofstream(other, std::ios::app | std::ios::binary) << name;
    return other;
  }
  /// The workspace again, with another scoring server.
  void UpgradeSlipway() {
    const fs::path other = OtherServer("upgraded");
    ::setenv("SLIPWAY_SERVE", other.c_str(), 1);
    Start();
  }
  /// An image of that model file and server comes in the place of the one that was built.
  imagebuilder::Image PutInItsPlace(const std::string& model, const fs::path& server,
                                    int port = 5001) {
    Workspace& workspace = running_->workspace();
    imagebuilder::BuildSpec spec{.models = {}, .server_program = server, .port = port};
    spec.models.push_back(
        {.name = "tiny",
         .version = 1,
         .main_file = "tiny.onnx",
         .files = {{.path = "tiny.onnx",
                    .source = folder_ / "files" / model,
                    .size = static_cast<std::int64_t>(fs::file_size(folder_ / "files" / model))}}});
    const auto cache = imagebuilder::MakeMemoryLayerCache();
    imagebuilder::BuildContext context{.blobs = workspace.blobs(), .cache = *cache};
    const auto other = imagebuilder::Build(spec, context);
    EXPECT_TRUE(other) << other.error().message;
    if (!other) return {};
    api::Image image = Image();
    image.digest = other->manifest.digest;
    image.layers.clear();
    EXPECT_TRUE(workspace.store().FinishImage("lab", image, other->config.digest, {}));
    return *other;
  }
  fs::path BlobOf(const std::string& digest) {
    return *running_->workspace().blobs().Path(*Digest::Parse(digest));
  }
  static const api::PartCheck& PartOf(const api::Image& image, const std::string& name) {
    const auto& parts = image.verification.parts;
    const auto found = std::ranges::find(parts, name, &api::PartCheck::name);
    if (found == parts.end()) std::abort();
    return *found;
  }

  testing::TempDir folder_;
  std::unique_ptr<RunningWorkspace> running_;
};

TEST_F(ImageVerify, ADamagedBlobIsFoundAndKept) {
  const fs::path blob = BlobOf(Image().layers.back().digest);
  fs::permissions(blob, fs::perms(0644));
  std::fstream(blob, std::ios::in | std::ios::out | std::ios::binary).seekp(20) << "X";
  Run(std::string(kVerify) +
      "WAIT /api/v1/operations/${op} Failed\n---- 200\n{\"error_code\": \"Image.Damaged\"}\n");
  EXPECT_EQ(Image().verification.state, "differs");
}

TEST_F(ImageVerify, AMissingBlobIsFound) {
  fs::remove(BlobOf(Image().layers.front().digest));
  Run(std::string(kVerify) +
      "WAIT /api/v1/operations/${op} Failed\n---- 200\n{\"error_code\": \"Image.Damaged\"}\n");
}

TEST_F(ImageVerify, AnImageThatIsNotWhatItsInputsGiveNamesTheFirstFile) {
  PutInItsPlace("times.onnx", running_->workspace().config().server_program);
  Run(std::string(kVerify) +
      "WAIT /api/v1/operations/${op} Failed\n---- 200\n"
      "{\"error_code\": \"Image.Differs\", \"error\": \"<regex>tiny.onnx\"}\n");
  const api::Image after = Image();
  EXPECT_EQ(after.verification.state, "differs");
  EXPECT_EQ(PartOf(after, "model").state, "differs");
  EXPECT_THAT(PartOf(after, "model").difference,
              HasSubstr("/var/azureml-app/azureml-models/tiny/1/tiny.onnx: "));
  EXPECT_EQ(PartOf(after, "server").state, "same");
}

TEST_F(ImageVerify, OtherProgramsOfSlipwayAreToldApart) {
  UpgradeSlipway();
  Run(std::string(kVerify) + "WAIT /api/v1/operations/${op} Succeeded\n");
  const api::Image after = Image();
  EXPECT_THAT(after.verification.detail, HasSubstr("server of another build of Slipway"));
  EXPECT_EQ(after.verification.state, "other-build");
  EXPECT_EQ(PartOf(after, "server").state, "other-build");
  EXPECT_THAT(PartOf(after, "server").difference, HasSubstr("/opt/slipway/bin/slipway-serve"));
  EXPECT_EQ(PartOf(after, "model").state, "same");
}

TEST_F(ImageVerify, OtherProgramsOfSlipwayFailWhereTheSameAreAskedFor) {
  UpgradeSlipway();
  Run(kVerifyExactly);
  Run("POST /api/v1/workspaces/lab/images/app/versions/1/verify?exact=yes\n---- 400\n");
  EXPECT_EQ(Image().verification.state, "other-build");
}

TEST_F(ImageVerify, AnotherServerThanTheOneThatWentIntoItIsNoUpgrade) {
  PutInItsPlace("tiny.onnx", OtherServer("forged"));
  UpgradeSlipway();
  Run(std::string(kVerify) +
      "WAIT /api/v1/operations/${op} Failed\n---- 200\n"
      "{\"error_code\": \"Image.Differs\", \"error\": \"<regex>not what the build made\"}\n");
  EXPECT_EQ(PartOf(Image(), "server").state, "differs");
  EXPECT_EQ(PartOf(Image(), "model").state, "same");
}

TEST_F(ImageVerify, WhatAnotherSlipwayWroteForItsServerIsExcusedWhereItIsOnRecord) {
  const imagebuilder::Image other =
      PutInItsPlace("tiny.onnx", running_->workspace().config().server_program, 5002);
  ASSERT_TRUE(running_->workspace().store().KeepOwnParts("lab", {"app", 1}, OwnParts(other)));
  Run(std::string(kVerify) + "WAIT /api/v1/operations/${op} Succeeded\n");
  const api::Image after = Image();
  EXPECT_EQ(after.verification.state, "other-build") << "though the server is the same";
  EXPECT_EQ(PartOf(after, "config").state, "other-build");
  EXPECT_EQ(PartOf(after, "settings").state, "other-build");
  EXPECT_EQ(PartOf(after, "server").state, "same");
  Run(kVerifyExactly);
}

TEST_F(ImageVerify, AnotherConfigurationThanTheOneOnRecordIsNoUpgrade) {
  PutInItsPlace("tiny.onnx", running_->workspace().config().server_program, 5002);
  UpgradeSlipway();
  Run(std::string(kVerify) +
      "WAIT /api/v1/operations/${op} Failed\n---- 200\n"
      "{\"error_code\": \"Image.Differs\", \"error\": \"<regex>serve.json.*not what the "
      "build\"}\n");
  EXPECT_EQ(PartOf(Image(), "config").state, "differs");
  EXPECT_EQ(PartOf(Image(), "server").state, "other-build") << "that one is on record";
}

TEST_F(ImageVerify, TheRecordHoldsEachPartOfSlipwaysOwn) {
  ASSERT_TRUE(running_->workspace().store().KeepOwnParts("lab", {"app", 1}, {}));
  const auto before = running_->workspace().store().GetImageOrigin("lab", {"app", 1});
  ASSERT_TRUE(before);
  EXPECT_EQ(before->own_parts.size(), 4U) << "a record never loses what it holds";
  EXPECT_TRUE(before->own_parts.contains("settings"));
}

TEST_F(ImageVerify, AnotherModelIsFoundAlsoAfterAnUpgrade) {
  PutInItsPlace("times.onnx", running_->workspace().config().server_program);
  UpgradeSlipway();
  Run(std::string(kVerify) +
      "WAIT /api/v1/operations/${op} Failed\n---- 200\n"
      "{\"error_code\": \"Image.Differs\", \"error\": \"<regex>tiny.onnx\"}\n");
  EXPECT_EQ(PartOf(Image(), "model").state, "differs");
  EXPECT_EQ(PartOf(Image(), "server").state, "other-build");
}

TEST_F(ImageVerify, AModelThatIsGoneIsNamed) {
  Run("DELETE /api/v1/workspaces/lab/models/tiny/versions/1\n---- 204\n\n" + std::string(kVerify) +
      "WAIT /api/v1/operations/${op} Failed\n---- 200\n"
      "{\"error_code\": \"Image.NotRebuilt\", \"error\": \"<regex>tiny:1\"}\n");
  EXPECT_EQ(Image().verification.state, "not-rebuilt");
}

TEST_F(ImageVerify, NothingOfTheVerificationStays) {
  Run(std::string(kVerify) + "WAIT /api/v1/operations/${op} Succeeded\n");
  EXPECT_TRUE(fs::is_empty(running_->workspace().temp_folder()));
  const auto origin = running_->workspace().store().GetImageOrigin("lab", {"app", 0});
  ASSERT_TRUE(origin) << origin.error().message;
  EXPECT_EQ(origin->request.models, std::vector<std::string>{"tiny:1"});
  EXPECT_TRUE(origin->own_parts.contains("server"));
}

}  // namespace
}  // namespace slipway::workspace
