// SPDX-License-Identifier: Apache-2.0
#include "imagebuilder/manifest.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>

#include "base/json.h"
#include "imagebuilder/spec.h"
#include "tests/imagebuilder/raw_layer.h"
#include "tests/imagebuilder/run_program.h"
#include "tests/support/image_fixture.h"

namespace slipway::imagebuilder {
namespace {

namespace fs = std::filesystem;
using testing::BlobFixture;
using testing::Slurp;

fs::path GoldenFolder() { return fs::path(SLIPWAY_SOURCE_DIR) / "tests/golden"; }

Layer FixedLayer(const std::string& name, char digit) {
  return {.name = name,
          .summary = "what " + name + " is",
          .blob = {.media_type = std::string(kLayerType),
                   .digest = "sha256:" + std::string(64, digit),
                   .size = 1000 + digit},
          .diff_id = "sha256:" + std::string(64, static_cast<char>(digit + 1)),
          .unpacked_size = 5120};
}

ImageConfig FixedConfig() {
  return {.architecture = "amd64",
          .user = "65532:65532",
          .entrypoint = {"/opt/slipway/bin/slipway-serve", "--config", "/opt/slipway/serve.json"},
          .environment = {{"AML_APP_ROOT", "/var/azureml-app"}, {"A", "größe=1"}},
          .labels = {{"org.opencontainers.image.title", "digits:1"}},
          .working_folder = "/var/azureml-app",
          .port = 5001};
}

void ExpectGolden(const fs::path& file, const std::string& text) {
  if (std::getenv("UPDATE_GOLDEN") != nullptr) {
    fs::create_directories(file.parent_path());
    std::ofstream(file) << text << '\n';
  }
  ASSERT_TRUE(fs::exists(file)) << file;
  EXPECT_EQ(Slurp(file), text + "\n");
}

TEST(Manifest, TextIsFixed) {
  const std::vector<Layer> layers = {FixedLayer("server", '1'), FixedLayer("model", '3')};
  const std::string config = ConfigText(FixedConfig(), layers);
  ExpectGolden(GoldenFolder() / "image_config.json", config);
  ExpectGolden(GoldenFolder() / "image_manifest.json",
               ManifestText({.media_type = std::string(kConfigType),
                             .digest = Digest::OfText(config).text(),
                             .size = static_cast<std::int64_t>(config.size())},
                            layers));
}

TEST(Manifest, SpecSaysWhatIsStarted) {
  BlobFixture place;
  const auto spec = NormalSpec({.models = {{.name = "digits",
                                            .version = 1,
                                            .main_file = "digits.onnx",
                                            .files = {{.path = "digits.onnx"}}}},
                                .server_program = "/bin/cat"});
  ASSERT_TRUE(spec.has_value()) << spec.error().message;
  const auto config = MakeConfig(*spec);
  ASSERT_TRUE(config.has_value()) << config.error().message;
  EXPECT_EQ(config->user, "65532:65532");
  EXPECT_EQ(config->labels.at("org.opencontainers.image.title"), "digits:1");
  EXPECT_EQ(config->environment.at("AZUREML_MODEL_DIR"),
            "/var/azureml-app/azureml-models/digits/1");
}

TEST(Manifest, ReadsBackWhatItWrote) {
  const std::vector<Layer> layers = {FixedLayer("server", '1'), FixedLayer("model", '3')};
  const Descriptor config{.media_type = std::string(kConfigType),
                          .digest = "sha256:" + std::string(64, 'a'),
                          .size = 77};
  const auto manifest = ParseManifest(ManifestText(config, layers));
  ASSERT_TRUE(manifest.has_value()) << manifest.error().message;
  EXPECT_EQ(manifest->config, config);
  ASSERT_EQ(manifest->layers.size(), 2U);
  EXPECT_EQ(manifest->layers[1].blob, layers[1].blob);
  EXPECT_EQ(manifest->layers[1].unpacked_size, 5120);
  const auto parsed = ParseConfig(ConfigText(FixedConfig(), layers));
  ASSERT_TRUE(parsed.has_value()) << parsed.error().message;
  EXPECT_EQ(parsed->run.entrypoint, FixedConfig().entrypoint);
  EXPECT_EQ(parsed->run.port, 5001);
  ASSERT_EQ(parsed->layers.size(), 2U);
  EXPECT_EQ(parsed->layers[1].name, "model");
  EXPECT_EQ(parsed->layers[1].summary, "what model is");
  EXPECT_EQ(parsed->layers[1].diff_id, layers[1].diff_id);
}

TEST(Manifest, RefusesWhatBreaksTheRules) {
  const std::string good = ManifestText({.media_type = std::string(kConfigType),
                                         .digest = "sha256:" + std::string(64, 'a'),
                                         .size = 77},
                                        {FixedLayer("server", '1')});
  const auto refuse = [&](const std::string& from, const std::string& to) {
    std::string text = good;
    const std::size_t at = text.find(from);
    ASSERT_NE(at, std::string::npos) << from;
    text.replace(at, from.size(), to);
    const auto parsed = ParseManifest(text);
    ASSERT_FALSE(parsed.has_value()) << text;
    EXPECT_EQ(parsed.error().code, Code::kDataLoss);
    EXPECT_EQ(parsed.error().id, "Image.Damaged");
  };
  refuse("\"schemaVersion\":2", "\"schemaVersion\":1");
  refuse("\"schemaVersion\":2", "\"schemaVersion\":\"2\"");
  refuse("image.manifest.v1", "image.manifest.v2");
  refuse("image.config.v1", "image.config.v9");
  refuse("tar+gzip", "tar+zstd");
  refuse("sha256:a", "sha512:a");
  refuse("\"size\":77", "\"size\":-1");
  refuse("\"size\":77", "\"size\":1.5");
  refuse("\"size\":77", "\"size\":99999999999999999999");
  refuse("\"config\":{", "\"konfig\":{");
  refuse("\"layers\":[", "\"layers\":{},\"x\":[");
  refuse("{", "[");
  for (const char* text : {"", "[]", "null", "{}", "{\"schemaVersion\":2}"}) {
    EXPECT_FALSE(ParseManifest(text).has_value()) << text;
    EXPECT_FALSE(ParseConfig(text).has_value()) << text;
  }
  EXPECT_FALSE(ParseManifest(std::string((4 << 20) + 1, ' ')).has_value());
}

TEST(Manifest, AnyDamageIsAnErrorOrAValue) {
  const std::string good = ConfigText(FixedConfig(), {FixedLayer("server", '1')});
  std::mt19937 random(5);
  for (int round = 0; round < 5000; ++round) {
    std::string text = good;
    text[random() % text.size()] = static_cast<char>(random() % 128);
    const auto parsed = ParseConfig(text);
    if (!parsed) {
      EXPECT_EQ(parsed.error().code, Code::kDataLoss);
    }
  }
}

TEST(Manifest, ImageIndexAndLayoutMeetTheSchemasOfTheSpecification) {
  const fs::path schemas = fs::path(SLIPWAY_SOURCE_DIR) / "../shared/spec/oci/image-spec-schema";
  if (!fs::exists(schemas)) GTEST_SKIP() << "the OCI schemas are not beside the source";
  const fs::path python = FindProgram("python3");
  if (python.empty() || RunProgram({python, "-c", "import jsonschema"}).status != 0) {
    GTEST_SKIP() << "python3 with the jsonschema package is not installed";
  }
  BlobFixture place;
  const Image image = StoreImage(
      place.blobs(), {StoreLayer(place.blobs(), RawTar({{.name = "a", .content = "1"}}))});
  const auto output = FindOutput("oci-dir");
  ASSERT_TRUE(output.has_value());
  const auto written = output->write(place.blobs(), image, "a/b:1", place / "layout");
  ASSERT_TRUE(written.has_value()) << written.error().message;
  const Ran ran =
      RunProgram({python, fs::path(SLIPWAY_SOURCE_DIR) / "tests/imagebuilder/check_layout.py",
                  schemas, place / "layout"});
  EXPECT_EQ(ran.status, 0) << ran.output;
}

}  // namespace
}  // namespace slipway::imagebuilder
