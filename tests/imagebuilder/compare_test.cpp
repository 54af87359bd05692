// SPDX-License-Identifier: Apache-2.0
#include "imagebuilder/compare.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "tests/imagebuilder/raw_layer.h"
#include "tests/support/image_fixture.h"

namespace slipway::imagebuilder {
namespace {

using State = PartComparison::State;
using testing::BlobFixture;
using ::testing::HasSubstr;
using ::testing::StartsWith;

const std::vector<RawMember> kMembers = {{"a/", '5', 0755, ""},
                                         {"a/file", '0', 0644, "content of a file"},
                                         {"a/link", '2', 0777, "", "file"},
                                         {"b", '0', 0755, "another"}};

Layer Named(Layer layer, const std::string& name) {
  layer.name = name;
  return layer;
}

/// Compares the members with what they are after `change`.
std::string DifferenceAfter(const std::function<void(std::vector<RawMember>&)>& change) {
  BlobFixture place, other;
  std::vector<RawMember> changed = kMembers;
  change(changed);
  const Layer first = StoreLayer(place.blobs(), RawTar(kMembers));
  const Layer second = StoreLayer(other.blobs(), RawTar(changed));
  const auto difference = FirstDifference(place.blobs(), first, other.blobs(), second);
  EXPECT_TRUE(difference.has_value()) << difference.error().message;
  return difference ? difference->value_or("none") : "";
}

TEST(FirstDifference, NamesTheFirstFileAndWhat) {
  using Members = std::vector<RawMember>;
  EXPECT_EQ(DifferenceAfter([](Members&) {}), "none");
  EXPECT_EQ(DifferenceAfter([](Members& m) { m[1].content = "content of A file"; }),
            "/a/file: other content from byte 11 on");
  EXPECT_EQ(DifferenceAfter([](Members& m) { m[1].content += "!"; }),
            "/a/file: 17 bytes, rebuilt 18");
  EXPECT_EQ(DifferenceAfter([](Members& m) { m[3].mode = 0644; }), "/b: mode 755, rebuilt 644");
  EXPECT_EQ(DifferenceAfter([](Members& m) { m[2].link = "b"; }),
            "/a/link: leads to file, rebuilt to b");
  EXPECT_EQ(DifferenceAfter([](Members& m) {
              m[2] = {"a/link", '0', 0777, ""};
            }),
            "/a/link: a symbolic link, rebuilt a file");
  EXPECT_EQ(DifferenceAfter([](Members& m) { m.erase(m.begin() + 1); }),
            "/a/file: not in the rebuilt one");
  EXPECT_EQ(DifferenceAfter([](Members& m) { m.pop_back(); }), "/b: not in the rebuilt one");
  EXPECT_EQ(DifferenceAfter([](Members& m) {
              m.push_back({"c", '0', 0644, ""});
            }),
            "/c: only in the rebuilt one");
  EXPECT_EQ(DifferenceAfter([](Members& m) { m[1].owner = 7; }),
            "the same files, archived in another way");
}

TEST(FirstDifference, FindsAByteFarIntoALargeFile) {
  const std::string large(300'000, 'x');
  BlobFixture place;
  std::string changed = large;
  changed[200'001] = 'y';
  const Layer first = StoreLayer(place.blobs(), RawTar({{"f", '0', 0644, large}}));
  const Layer second = StoreLayer(place.blobs(), RawTar({{"f", '0', 0644, changed}}));
  const auto difference = FirstDifference(place.blobs(), first, place.blobs(), second);
  ASSERT_TRUE(difference.has_value()) << difference.error().message;
  EXPECT_EQ(difference->value_or(""), "/f: other content from byte 200001 on");
}

TEST(CompareImages, TellsOfEveryPart) {
  BlobFixture place, other;
  const auto tar = [](const std::string& text) { return RawTar({{"f", '0', 0644, text}}); };
  const Image first =
      StoreImage(place.blobs(), {Named(StoreLayer(place.blobs(), tar("1")), "base"),
                                 Named(StoreLayer(place.blobs(), tar("2")), "model"),
                                 Named(StoreLayer(place.blobs(), tar("3")), "gone")});
  const Image second =
      StoreImage(other.blobs(), {Named(StoreLayer(other.blobs(), tar("1")), "base"),
                                 Named(StoreLayer(other.blobs(), tar("X")), "model"),
                                 Named(StoreLayer(other.blobs(), tar("4")), "new")});
  const auto parts = CompareImages({place.blobs(), first}, {other.blobs(), second});
  ASSERT_TRUE(parts.has_value()) << parts.error().message;
  ASSERT_EQ(parts->size(), 5U);
  EXPECT_EQ((*parts)[0].state, State::kSame);
  EXPECT_EQ((*parts)[1].name, "model");
  EXPECT_EQ((*parts)[1].state, State::kDiffers);
  EXPECT_EQ((*parts)[1].difference, "/f: other content from byte 0 on");
  EXPECT_EQ((*parts)[1].first, first.layers[1].blob.digest);
  EXPECT_EQ((*parts)[1].second, second.layers[1].blob.digest);
  EXPECT_EQ((*parts)[2].state, State::kFirstOnly);
  EXPECT_EQ((*parts)[3].state, State::kSecondOnly);
  EXPECT_EQ((*parts)[3].name, "new");
  EXPECT_EQ((*parts)[4].name, "settings");
  // Other layers alone do not make other settings.
  EXPECT_EQ((*parts)[4].state, State::kRepacked) << (*parts)[4].difference;
}

TEST(CompareImages, OtherSettingsAreNamed) {
  BlobFixture place;
  const Layer layer = Named(StoreLayer(place.blobs(), RawTar(kMembers)), "base");
  const Image first = StoreImage(place.blobs(), {layer});
  const std::string config = ConfigText({.architecture = "amd64",
                                         .user = "0",
                                         .entrypoint = {"/x"},
                                         .environment = {},
                                         .labels = {},
                                         .working_folder = "/",
                                         .port = 5001},
                                        {layer});
  Image second = first;
  second.config.digest = place.blobs().PutText(config)->digest.text();
  const auto parts = CompareImages({place.blobs(), first}, {place.blobs(), second});
  ASSERT_TRUE(parts.has_value()) << parts.error().message;
  EXPECT_EQ(parts->back().state, State::kDiffers);
  EXPECT_EQ(parts->back().difference, "/config/User: other value");
}

TEST(CompareImages, DamagedBlobsAreNoDifference) {
  BlobFixture place, other;
  const Layer layer = Named(StoreLayer(place.blobs(), RawTar(kMembers)), "base");
  StoreLayer(other.blobs(), RawTar(kMembers));
  const Image first = StoreImage(place.blobs(), {layer});
  const Image second = StoreImage(other.blobs(), {layer});
  const auto digest = Digest::Parse(layer.blob.digest);
  const auto path = place.blobs().Path(*digest);
  std::filesystem::permissions(*path, std::filesystem::perms(0644));
  std::fstream(*path, std::ios::in | std::ios::out | std::ios::binary) << "XX";
  const auto parts = CompareImages({place.blobs(), first}, {other.blobs(), second});
  ASSERT_FALSE(parts.has_value());
  EXPECT_EQ(parts.error().code, Code::kDataLoss);
  EXPECT_THAT(parts.error().message, StartsWith("layer base: "));
}

}  // namespace
}  // namespace slipway::imagebuilder
