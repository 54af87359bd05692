// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "imagebuilder/reference.h"
#include "imagebuilder/tar_reader.h"
#include "tests/imagebuilder/raw_layer.h"
#include "tests/support/image_fixture.h"

namespace slipway::imagebuilder {
namespace {

namespace fs = std::filesystem;
using testing::BlobFixture;
using testing::Slurp;

using Files = std::map<std::string, std::string>;

Files ReadFolder(const fs::path& folder) {
  Files files;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) {
      files[entry.path().lexically_relative(folder)] = Slurp(entry.path());
    }
  }
  return files;
}

Files ReadArchive(const fs::path& file) {
  const std::string bytes = Slurp(file);
  TarReader reader(
      [rest = std::as_bytes(std::span(bytes))]() mutable -> Result<std::span<const std::byte>> {
        return std::exchange(rest, {});
      });
  Files files;
  for (;;) {
    const auto entry = reader.Next();
    EXPECT_TRUE(entry.has_value());
    if (!entry || !*entry) return files;
    EXPECT_FALSE((*entry)->has_owner_or_time);
    if ((*entry)->kind != TarEntry::Kind::kFile) continue;
    std::string content(static_cast<std::size_t>((*entry)->size), '\0');
    const auto got = reader.Read(std::as_writable_bytes(std::span(content)));
    EXPECT_TRUE(got.has_value() && *got == content.size());
    files[(*entry)->path] = content;
  }
}

class Outputs : public ::testing::Test {
 protected:
  Outputs() {
    Layer twice = StoreLayer(place_.blobs(), RawTar({{.name = "a", .content = "1"}}));
    image_ = StoreImage(place_.blobs(),
                        {twice, StoreLayer(place_.blobs(), RawTar({{.name = "b"}})), twice});
  }
  Result<void> Write(std::string_view type, const fs::path& name,
                     const std::string& reference = "team/digits:1") {
    const auto output = FindOutput(type);
    EXPECT_TRUE(output.has_value());
    return output->write(place_.blobs(), image_, reference, place_ / name);
  }
  /// An image read from these blobs alone is the image that was written.
  void ExpectSame(const Files& files) {
    BlobFixture other;
    for (const auto& [path, content] : files) {
      if (!path.starts_with("blobs/sha256/")) continue;
      const auto stored = other.blobs().PutText(content);
      ASSERT_TRUE(stored.has_value());
      EXPECT_EQ(path.substr(13), stored->digest.hex());
    }
    const auto index = ParseJson(files.at("index.json"));
    ASSERT_TRUE(index.has_value());
    const Json& manifest = (*index)["manifests"][0];
    EXPECT_EQ(manifest["annotations"]["org.opencontainers.image.ref.name"], "team/digits:1");
    const auto image = Load(other.blobs(), manifest["digest"].get<std::string>());
    ASSERT_TRUE(image.has_value()) << image.error().message;
    EXPECT_EQ(image->layers, image_.layers);
    EXPECT_TRUE(Validate(other.blobs(), *image).has_value());
  }
  BlobFixture place_;
  Image image_;
};

TEST_F(Outputs, OciDirReadsBack) {
  ASSERT_TRUE(Write("oci-dir", "out").has_value());
  ExpectSame(ReadFolder(place_ / "out"));
  EXPECT_EQ(Slurp(place_ / "out/oci-layout"), "{\"imageLayoutVersion\":\"1.0.0\"}");
}

TEST_F(Outputs, OciDirLinksBlobsOnOneFileSystem) {
  ASSERT_TRUE(Write("oci-dir", "out").has_value());
  const auto digest = Digest::Parse(image_.layers[0].blob.digest);
  EXPECT_TRUE(fs::equivalent(*place_.blobs().Path(*digest),
                             place_ / "out/blobs/sha256" / std::string(digest->hex())));
}

TEST_F(Outputs, OciArchiveReadsBack) {
  ASSERT_TRUE(Write("oci-archive", "out.tar").has_value());
  ExpectSame(ReadArchive(place_ / "out.tar"));
}

TEST_F(Outputs, DockerArchiveNamesConfigLayersAndTag) {
  ASSERT_TRUE(Write("docker-archive", "out.tar").has_value());
  const Files files = ReadArchive(place_ / "out.tar");
  const auto manifest = ParseJson(files.at("manifest.json"));
  ASSERT_TRUE(manifest.has_value());
  const Json& entry = (*manifest)[0];
  EXPECT_EQ(entry["RepoTags"], Json::array({"team/digits:1"}));
  const std::string config = files.at(entry["Config"].get<std::string>());
  EXPECT_EQ(Digest::OfText(config).text(), image_.config.digest);
  ASSERT_EQ(entry["Layers"].size(), 3U);
  for (std::size_t i = 0; i < 3; ++i) {
    const std::string layer = files.at(entry["Layers"][i].get<std::string>());
    EXPECT_EQ(Digest::OfText(layer).text(), image_.layers[i].blob.digest);
  }
  EXPECT_NE(files.at("repositories").find("\"team/digits\""), std::string::npos);
}

TEST_F(Outputs, SameImageSameBytes) {
  for (const char* type : {"oci-archive", "docker-archive"}) {
    ASSERT_TRUE(Write(type, "one").has_value());
    const mode_t before = ::umask(077);
    ASSERT_TRUE(Write(type, "two").has_value());
    ::umask(before);
    EXPECT_EQ(Slurp(place_ / "one"), Slurp(place_ / "two")) << type;
    fs::remove(place_ / "one");
    fs::remove(place_ / "two");
  }
}

TEST_F(Outputs, NeverReplaceOrLeaveHalf) {
  place_.Write("taken", "mine");
  fs::create_directory(place_ / "folder");
  for (const Unit<OutputType>& unit : outputs_table()) {
    const OutputType output = unit.make();
    EXPECT_FALSE(output.summary.empty());
    for (const char* name : {"taken", "folder"}) {
      const auto written = Write(output.name, name);
      ASSERT_FALSE(written.has_value()) << output.name;
      EXPECT_EQ(written.error().code, Code::kAlreadyExists);
    }
    EXPECT_EQ(Slurp(place_ / "taken"), "mine");
    const auto nowhere = Write(output.name, "no/such/folder/out");
    ASSERT_FALSE(nowhere.has_value());
    EXPECT_EQ(nowhere.error().code, Code::kNotFound) << nowhere.error().message;
    const auto named = Write(output.name, "out", "Not A Reference");
    ASSERT_FALSE(named.has_value());
    EXPECT_EQ(named.error().id, "Image.Reference");
    EXPECT_FALSE(fs::exists(place_ / "out"));
  }
}

TEST_F(Outputs, RefuseADamagedBlob) {
  const fs::path blob = *place_.blobs().Path(*Digest::Parse(image_.layers[1].blob.digest));
  std::string bytes = Slurp(blob);
  bytes[12] = static_cast<char>(bytes[12] ^ 1);
  fs::remove(blob);
  place_.Write(blob.lexically_relative(place_.folder()), bytes);
  for (const Unit<OutputType>& unit : outputs_table()) {
    const auto written = Write(unit.make().name, "out");
    ASSERT_FALSE(written.has_value());
    EXPECT_EQ(written.error().code, Code::kDataLoss);
    EXPECT_FALSE(fs::exists(place_ / "out"));
  }
  for (const fs::directory_entry& entry : fs::directory_iterator(place_.folder())) {
    EXPECT_EQ(entry.path().filename(), "blobs");
  }
}

TEST(FindOutput, ListsTheFormatsThereAre) {
  const auto output = FindOutput("zip");
  ASSERT_FALSE(output.has_value());
  EXPECT_EQ(output.error().code, Code::kInvalidArgument);
  EXPECT_EQ(output.error().fix, "use one of: docker-archive, oci-archive, oci-dir");
}

TEST(Reference, TakesWhatEnginesTake) {
  for (const char* text : {"a", "a:1", "a/b:1.2-x_y", "host.io/a", "Host:5000/a/b:t", "a__b",
                           "a--b", "localhost/x.y:V1"}) {
    EXPECT_TRUE(ParseReference(text).has_value()) << text;
  }
  for (const char* text : {"", ":", "a:", ":1", "A", "a//b", "/a", "a/", "a b", "a:b:c", "a:-1",
                           "a_", "a___b", "a..b", "a@b", "\xc3\xa9", "a:.x", "host:x/a"}) {
    const auto parsed = ParseReference(text);
    ASSERT_FALSE(parsed.has_value()) << text;
    EXPECT_EQ(parsed.error().id, "Image.Reference");
  }
  const auto parsed = ParseReference("host:5000/a");
  ASSERT_TRUE(parsed.has_value());
  EXPECT_EQ(parsed->name, "host:5000/a");
  EXPECT_EQ(parsed->tag, "latest");
}

}  // namespace
}  // namespace slipway::imagebuilder
