// SPDX-License-Identifier: Apache-2.0
#include "registry/signature.h"

#include <string>
#include <vector>

#include "base/file.h"
#include "tests/registry/fixture.h"
#include "tests/registry/onnx_bytes.h"

namespace slipway::registry::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

class SignatureTest : public RegistryTest {
 protected:
  Result<ModelVersion> Try(std::vector<ModelFile> files, std::string framework = "") {
    RegisterRequest request{.workspace = "w", .name = "m", .files = std::move(files)};
    request.framework = std::move(framework);
    return registry_.Register(request);
  }
  void ExpectNothingKept() {
    EXPECT_EQ(Count("models"), 0);
    EXPECT_EQ(Count("model_names"), 0);
    const auto run = folder_ / "run";
    EXPECT_TRUE(!std::filesystem::exists(run) || std::filesystem::is_empty(run));
  }
};

TEST_F(SignatureTest, IsReadFromTheModel) {
  const ModelVersion model = Must(Try({store_.Put("relu.onnx", onnx::ReluModel())}));
  EXPECT_EQ(model.main_file, "relu.onnx");
  const SignatureValue x{"x", "tensor(float)", {"batch", "3", "?"}, true};
  const SignatureValue y{"y", "tensor(float)", {"batch", "3", "?"}, true};
  EXPECT_THAT(model.signature.inputs, ElementsAre(x));
  EXPECT_THAT(model.signature.outputs, ElementsAre(y));
  EXPECT_EQ(Must(registry_.Get("w", "m", 1)).signature, model.signature);
  EXPECT_TRUE(std::filesystem::is_empty(folder_ / "run"));
}

TEST_F(SignatureTest, SaysWhichLibrariesOperatorsLoad) {
  const std::string picture = *ReadFile(SLIPWAY_SOURCE_DIR "/tests/models/picture.onnx", 1 << 20);
  const ModelVersion model = Must(Try({store_.Put("picture.onnx", picture)}));
  EXPECT_THAT(model.signature.libraries, ElementsAre("libslipway_image.so.1"));
  EXPECT_EQ(Must(registry_.Get("w", "m", 1)).signature, model.signature);
  const ModelVersion plain = Must(Try({store_.Put("relu.onnx", onnx::ReluModel())}));
  EXPECT_THAT(plain.signature.libraries, ElementsAre());
}

TEST_F(SignatureTest, OnnxFrameworkNeedsNoExtension) {
  const ModelVersion model = Must(Try({store_.Put("weights", onnx::ReluModel())}, "ONNX"));
  EXPECT_EQ(model.main_file, "weights");
  EXPECT_EQ(model.signature.inputs.size(), 1U);
}

TEST_F(SignatureTest, WithoutOnnxThereIsNone) {
  const ModelVersion model = Must(Try({store_.Put("model.pkl", "pickled")}));
  EXPECT_EQ(model.signature, Signature{});
  EXPECT_EQ(model.main_file, "");
}

TEST_F(SignatureTest, ExternalDataStandsAmongTheFiles) {
  const std::vector<ModelFile> files = {
      store_.Put("net/model.onnx", onnx::ExternalModel("data/w.bin")),
      store_.Put("net/data/w.bin", std::string(16, '\0')), store_.Put("README", "not looked at")};
  EXPECT_EQ(Must(Try(files)).signature.inputs.size(), 1U);
  EXPECT_TRUE(std::filesystem::is_empty(folder_ / "run"));
}

TEST_F(SignatureTest, MissingExternalDataIsRefused) {
  for (const char* location : {"w.bin", "../w.bin", "/etc/hostname", "data/../../w.bin"}) {
    const auto registered = Try({store_.Put("net/model.onnx", onnx::ExternalModel(location)),
                                 store_.Put("w.bin", std::string(16, '\0'))});
    ASSERT_EQ(MustFail(registered).code, Code::kInvalidArgument) << location;
    EXPECT_THAT(registered.error().message, HasSubstr("net/model.onnx"));
    EXPECT_THAT(registered.error().message, HasSubstr(location));
    EXPECT_THAT(registered.error().message, Not(HasSubstr(folder_.path().string())));
    ExpectNothingKept();
  }
}

TEST_F(SignatureTest, ExternalDataThatIsTooShortIsRefused) {
  const auto registered = Try({store_.Put("model.onnx", onnx::ExternalModel("w.bin")),
                               store_.Put("w.bin", std::string(15, '\0'))});
  EXPECT_EQ(MustFail(registered).code, Code::kInvalidArgument);
  ExpectNothingKept();
}

TEST_F(SignatureTest, AnotherBlobIsNoExternalData) {
  const ModelFile secret = store_.Put("secret", std::string(16, 's'));
  const std::string hex = secret.digest.substr(secret.digest.find(':') + 1);
  for (const std::string& location :
       {hex.substr(2), hex.substr(0, 2) + "/" + hex.substr(2), "../" + hex.substr(2)}) {
    EXPECT_EQ(MustFail(Try({store_.Put("model.onnx", onnx::ExternalModel(location))})).code,
              Code::kInvalidArgument);
  }
  ExpectNothingKept();
}

TEST_F(SignatureTest, WhatIsNotOnnxIsRefusedByName) {
  for (const std::string& content : {std::string(), std::string("not a model"),
                                     std::string("<html></html>"), std::string(4096, '\xff')}) {
    const auto registered = Try({store_.Put("a/b.onnx", content)});
    ASSERT_THAT(registered, FailsWith(Code::kInvalidArgument, "Model.Invalid"));
    EXPECT_THAT(registered.error().message, HasSubstr("a/b.onnx"));
    EXPECT_THAT(registered.error().message, Not(HasSubstr(folder_.path().string())));
    EXPECT_EQ(registered.error().message.find('\n'), std::string::npos);
    EXPECT_FALSE(Try({store_.Put("a/b.onnx", content)}, "Custom"));
    ExpectNothingKept();
  }
}

TEST_F(SignatureTest, EveryTruncationIsAnAnswer) {
  const std::string whole = onnx::ReluModel();
  int refused = 0;
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const auto registered = Try({store_.Put("m.onnx", whole.substr(0, size))});
    if (!registered) {
      ++refused;
      EXPECT_EQ(registered.error().code, Code::kInvalidArgument) << registered.error().message;
    }
  }
  EXPECT_GT(refused, static_cast<int>(whole.size()) / 2);
  EXPECT_TRUE(std::filesystem::is_empty(folder_ / "run"));
}

TEST_F(SignatureTest, UnknownOperatorsAreForOtherFrameworks) {
  const ModelFile file = store_.Put("m.onnx", onnx::UnknownOperatorModel());
  for (const char* framework : {"", "ONNX", "onnx"}) {
    const auto registered = Try({file}, framework);
    ASSERT_THAT(registered, FailsWith(Code::kUnimplemented, "Model.UnsupportedOperator"));
    EXPECT_THAT(registered.error().message, HasSubstr("NoSuchOperator"));
    EXPECT_THAT(registered.error().message, HasSubstr("m.onnx"));
    ExpectNothingKept();
  }
  const ModelVersion model = Must(Try({file}, "Custom"));
  EXPECT_EQ(model.main_file, "m.onnx");
  EXPECT_EQ(model.signature, Signature{});
}

TEST_F(SignatureTest, TheNamedMainFileIsRead) {
  RegisterRequest request{.workspace = "w", .name = "m"};
  request.files = {store_.Put("a.onnx", "not looked at"), store_.Put("b.onnx", onnx::ReluModel())};
  request.main_file = "b.onnx";
  const ModelVersion model = Must(registry_.Register(request));
  EXPECT_EQ(model.main_file, "b.onnx");
  EXPECT_EQ(model.signature.inputs.size(), 1U);
}

TEST_F(SignatureTest, RealModels) {
  const std::filesystem::path models =
      std::filesystem::path(SLIPWAY_SOURCE_DIR) / "../shared/models";
  if (!std::filesystem::exists(models)) GTEST_SKIP() << "needs " << models;
  const auto put = [&](const std::string& path, const std::filesystem::path& file) {
    const auto stored = Must(store_.blobs->PutFile(file));
    return ModelFile{.path = path, .digest = stored.digest.text(), .size = stored.size};
  };
  const ModelVersion mnist = Must(Try({put("mnist.onnx", models / "mnist.onnx")}));
  const SignatureValue in{"Input3", "tensor(float)", {"1", "1", "28", "28"}, true};
  const SignatureValue out{"Plus214_Output_0", "tensor(float)", {"1", "10"}, true};
  EXPECT_THAT(mnist.signature.inputs, ElementsAre(in));
  EXPECT_THAT(mnist.signature.outputs, ElementsAre(out));

  const auto mixer = models / "exported" / "mixer_external_dynamo_op18";
  const ModelVersion external = Must(Try({put("model.onnx", mixer / "model.onnx"),
                                          put("model.onnx.data", mixer / "model.onnx.data")}));
  EXPECT_EQ(external.signature.inputs.size(), 1U);
  EXPECT_FALSE(Try({put("model.onnx", mixer / "model.onnx")}));
}

TEST(SignatureText, ComesBackAsItWas) {
  const Signature signature{.inputs = {{"a", "tensor(float)", {"batch", "3", "?"}, true},
                                       {"scalar \"ü\"", "tensor(int64)", {}, true},
                                       {"unknown", "tensor(string)", {}, false}},
                            .outputs = {{"map", "seq(map(int64,tensor(float)))", {}, false}}};
  EXPECT_EQ(Must(ParseSignature(Must(SignatureText(signature)))), signature);
  EXPECT_EQ(Must(ParseSignature(Must(SignatureText({})))), Signature{});
}

TEST(SignatureText, DamageIsNoticed) {
  for (const char* text : {"", "[]", "{}", R"({"inputs":[]})", R"({"inputs":1,"outputs":[1]})",
                           R"({"inputs":[{"name":"a"}],"outputs":[]})", R"({"inputs":[)"}) {
    EXPECT_THAT(ParseSignature(text), FailsWith(Code::kDataLoss, "State.Damaged")) << text;
  }
}

}  // namespace
}  // namespace slipway::registry::testing
