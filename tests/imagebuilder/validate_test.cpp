// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <filesystem>

#include "tests/imagebuilder/raw_layer.h"
#include "tests/support/image_fixture.h"

namespace slipway::imagebuilder {
namespace {

using testing::BlobFixture;

class Validating : public ::testing::Test {
 protected:
  Image Store(const std::vector<RawMember>& members) {
    return StoreImage(place_.blobs(), {StoreLayer(place_.blobs(), RawTar(members))});
  }
  void Refuse(const Image& image, std::string_view why) {
    const auto valid = Validate(place_.blobs(), image);
    ASSERT_FALSE(valid.has_value()) << why;
    EXPECT_EQ(valid.error().code, Code::kDataLoss) << why;
    EXPECT_NE(valid.error().message.find(why), std::string::npos) << valid.error().message;
  }
  BlobFixture place_;
};

TEST_F(Validating, TakesASortedLayer) {
  const Image image = Store({{.name = "a/", .type = '5', .mode = 0755},
                             {.name = "a/b", .content = "1"},
                             {.name = "c", .type = '2', .link = "a/b"}});
  const auto valid = Validate(place_.blobs(), image);
  EXPECT_TRUE(valid.has_value()) << valid.error().message;
}

TEST_F(Validating, NamesTheEntryThatIsWrong) {
  Refuse(Store({{.name = "b"}, {.name = "a"}}), "a: the entry does not come after b");
  Refuse(Store({{.name = "a"}, {.name = "a"}}), "a: the entry does not come after a");
  Refuse(Store({{.name = "a"}, {.name = "b", .type = '1', .link = "a"}}), "b: hard links");
  Refuse(Store({{.name = "a", .owner = 5}}), "a: owner, group and time");
  Refuse(Store({{.name = "../a"}}), "../a");
  Refuse(Store({{.name = "a", .mode = 06755}}), "a: set-id bits");
  Refuse(Store({{.name = "a", .type = '3'}}), "a: device nodes");
}

TEST_F(Validating, ComparesEveryPart) {
  const Image image = Store({{.name = "a", .content = "1"}});
  const auto changed = [&](const auto& change) {
    Image other = image;
    change(other);
    return other;
  };
  Refuse(changed([](Image& i) { i.manifest.size += 1; }), "the manifest's descriptor is wrong");
  Refuse(changed([](Image& i) { i.config.size += 1; }), "config");
  Refuse(changed([](Image& i) { i.layers[0].blob.size += 1; }), "layer 0");
  Refuse(changed([](Image& i) { i.layers[0].unpacked_size += 1; }), "layer 0");
  Refuse(changed([](Image& i) { i.layers.push_back(i.layers[0]); }), "1 layers, expected 2");
  Refuse(changed([](Image& i) { i.compressed_size += 1; }), "bytes, expected");
}

TEST_F(Validating, MissesAnyBlob) {
  for (const int part : {0, 1, 2}) {
    const Image image = Store({{.name = "a", .content = std::to_string(part)}});
    const std::string text = part == 0   ? image.manifest.digest
                             : part == 1 ? image.config.digest
                                         : image.layers[0].blob.digest;
    std::filesystem::remove(*place_.blobs().Path(*Digest::Parse(text)));
    Refuse(image, text);
  }
}

TEST_F(Validating, ChecksDiffIdAndUnpackedSize) {
  Layer layer = StoreLayer(place_.blobs(), RawTar({{.name = "a", .content = "1"}}));
  Layer other = layer;
  other.diff_id = Digest::OfText("x").text();
  Refuse(StoreImage(place_.blobs(), {other}), "the config says");
  other = layer;
  other.unpacked_size = 5;
  Refuse(StoreImage(place_.blobs(), {other}), "the manifest says 5");
}

TEST(Load, RefusesWhatIsNoImage) {
  BlobFixture place;
  EXPECT_EQ(Load(place.blobs(), "sha256:12").error().code, Code::kInvalidArgument);
  EXPECT_EQ(Load(place.blobs(), Digest::OfText("x").text()).error().code, Code::kNotFound);
  const auto stored = place.blobs().PutText("{}");
  ASSERT_TRUE(stored.has_value());
  EXPECT_EQ(Load(place.blobs(), stored->digest.text()).error().code, Code::kDataLoss);
}

}  // namespace
}  // namespace slipway::imagebuilder
