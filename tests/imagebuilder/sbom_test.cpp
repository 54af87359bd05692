// SPDX-License-Identifier: Apache-2.0
#include "imagebuilder/sbom.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "base/json.h"
#include "imagebuilder/package_record.h"
#include "tests/imagebuilder/raw_layer.h"
#include "tests/support/image_fixture.h"

namespace slipway::imagebuilder {
namespace {

using Kind = Component::Kind;
using testing::BlobFixture;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr const char* kZlib =
    "Package: zlib1g\nVersion: 1:1.2.13.dfsg-1\nArchitecture: amd64\n"
    "Maintainer: Mark Brown <broonie@debian.org>\nHomepage: http://zlib.net/\nSource: zlib\n"
    "Depends: libc6 (>= 2.14), absent | libc6:any\nDescription: compression\n library\n .\n more\n";
constexpr const char* kLibc =
    "Package: libc6\nVersion: 2.36-9+deb12u4\nArchitecture: amd64\n"
    "Maintainer: GNU Libc Maintainers <debian-glibc@lists.debian.org>\n";
constexpr const char* kNumpy =
    "Metadata-Version: 2.1\nName: NumPy\nVersion: 2.0.1\nLicense: BSD-3-Clause\n"
    "Author: Travis E. Oliphant et al.\nHome-page: https://numpy.org\n"
    "Requires-Dist: Six>=1; python_version < '4'\nRequires-Dist: absent\n\nName: not this one\n";
constexpr const char* kSix =
    "Metadata-Version: 2.1\nName: six\nVersion: 1.16.0\n"
    "Classifier: License :: OSI Approved :: MIT License\n";

Image MakeImage(BlobStore& blobs) {
  const Layer base = StoreLayer(
      blobs, RawTar({{"etc/os-release", '0', 0644, "ID=debian\nVERSION_ID=\"12\"\n"},
                     {"opt/app/gone.dist-info/METADATA", '0', 0644, "Name: gone\nVersion: 1\n"},
                     {"opt/old/x-1.dist-info/METADATA", '0', 0644, "Name: x\nVersion: 1\n"},
                     {"var/lib/dpkg/status.d/libc6", '0', 0644, kLibc},
                     {"var/lib/dpkg/status.d/zlib1g", '0', 0644, kZlib},
                     {"var/lib/dpkg/status.d/zlib1g.md5sums", '0', 0644, "00  x\n"}}));
  const Layer python = StoreLayer(
      blobs, RawTar({{"opt/app/.wh.gone.dist-info", '0', 0644, ""},
                     {"opt/old/.wh..wh..opq", '0', 0644, ""},
                     {"opt/old/y-2.dist-info/METADATA", '0', 0644, "Name: y\nVersion: 2\n"},
                     {"usr/lib/python3/dist-packages/z-1.dist-info/METADATA", '0', 0644,
                      "Name: z\nVersion: 1\n"},
                     {"usr/local/numpy-2.0.1.dist-info/METADATA", '0', 0644, kNumpy},
                     {"usr/local/numpy-2.0.1.dist-info/RECORD", '0', 0644, "a,,\nb,,\n"},
                     {"usr/local/six-1.16.0.dist-info/METADATA", '0', 0644, kSix}}));
  const Layer app = StoreLayer(
      blobs, RawTar({{"opt/slipway/bin/slipway-serve", '0', 0755, "program"},
                     {"opt/slipway/lib/libx.so.1", '0', 0755, "library"},
                     {"var/azureml-app/azureml-models/digits/3/model.onnx", '0', 0644, "weights"},
                     {"var/azureml-app/score.py", '0', 0644, "def init(): pass\n"}}));
  return StoreImage(blobs, {base, python, app});
}

std::vector<std::string> NamesOf(const Inventory& inventory, Kind kind) {
  std::vector<std::string> names;
  for (const Component& component : inventory.components) {
    if (component.kind == kind) names.push_back(component.name + " " + component.version);
  }
  return names;
}

const Component& Find(const Inventory& inventory, const std::string& name) {
  const auto found = std::ranges::find(inventory.components, name, &Component::name);
  if (found == inventory.components.end()) std::abort();
  return *found;
}

TEST(Inventory, ListsWhatIsInTheImageAndNotWhatWasRemoved) {
  BlobFixture place;
  const auto inventory = TakeInventory(place.blobs(), MakeImage(place.blobs()));
  ASSERT_TRUE(inventory.has_value()) << inventory.error().message;
  EXPECT_EQ(inventory->distribution, "debian");
  EXPECT_EQ(inventory->release, "12");
  EXPECT_THAT(NamesOf(*inventory, Kind::kDebian),
              ElementsAre("libc6 2.36-9+deb12u4", "zlib1g 1:1.2.13.dfsg-1"));
  EXPECT_THAT(NamesOf(*inventory, Kind::kPython), ElementsAre("numpy 2.0.1", "six 1.16.0", "y 2"));
  EXPECT_THAT(NamesOf(*inventory, Kind::kModel), ElementsAre("digits/model.onnx 3"));
  EXPECT_THAT(NamesOf(*inventory, Kind::kScript), ElementsAre("score.py "));
  EXPECT_THAT(NamesOf(*inventory, Kind::kProgram), ElementsAre("bin/slipway-serve "));
  EXPECT_THAT(NamesOf(*inventory, Kind::kLibrary), ElementsAre("lib/libx.so.1 "));

  const Component& zlib = Find(*inventory, "zlib1g");
  EXPECT_THAT(zlib.needs, ElementsAre("libc6"));
  EXPECT_EQ(PackageUrl(zlib, *inventory),
            "pkg:deb/debian/zlib1g@1%3A1.2.13.dfsg-1?arch=amd64&distro=debian-12");
  EXPECT_EQ(PackageUrl(Find(*inventory, "libc6"), *inventory),
            "pkg:deb/debian/libc6@2.36-9%2Bdeb12u4?arch=amd64&distro=debian-12");
  const Component& numpy = Find(*inventory, "numpy");
  EXPECT_THAT(numpy.needs, ElementsAre("six"));
  EXPECT_EQ(numpy.license, "BSD-3-Clause");
  EXPECT_THAT(numpy.note, HasSubstr("RECORD of 2 files, sha256:"));
  EXPECT_EQ(PackageUrl(numpy, *inventory), "pkg:pypi/numpy@2.0.1");
  EXPECT_EQ(Find(*inventory, "six").license, "MIT License");
  EXPECT_EQ(Find(*inventory, "digits/model.onnx").digest, Digest::OfText("weights").text());
  EXPECT_EQ(Find(*inventory, "bin/slipway-serve").path, "/opt/slipway/bin/slipway-serve");
}

TEST(Inventory, TakesDigestsAndAddressesFromTheLock) {
  BlobFixture place;
  auto inventory = TakeInventory(place.blobs(), MakeImage(place.blobs()));
  ASSERT_TRUE(inventory.has_value());
  PythonLock lock;
  lock.wheels = {{.name = "numpy",
                  .version = "2.0.1",
                  .file = "n.whl",
                  .url = "https://files.example.org/n.whl",
                  .digest = "sha256:1"},
                 {.name = "six",
                  .version = "1.17.0",
                  .file = "s.whl",
                  .url = "https://files.example.org/s.whl",
                  .digest = "sha256:2"}};
  lock.debian = {{.name = "libc6",
                  .version = "2.36-9+deb12u4",
                  .file = "l.deb",
                  .url = "file:///srv/private/l.deb",
                  .digest = "sha256:3"}};
  AddLock(lock, *inventory);
  EXPECT_EQ(Find(*inventory, "numpy").url, "https://files.example.org/n.whl");
  EXPECT_EQ(Find(*inventory, "numpy").digest, "sha256:1");
  // Another version than the image has, and a path of the machine that built it.
  EXPECT_EQ(Find(*inventory, "six").digest, "");
  EXPECT_EQ(Find(*inventory, "libc6").digest, "sha256:3");
  EXPECT_EQ(Find(*inventory, "libc6").url, "");
}

TEST(Inventory, OddRecordsAreLeftOut) {
  BlobFixture place;
  const std::string long_line(100'000, 'x');
  const Layer layer = StoreLayer(
      place.blobs(),
      RawTar({{"a.dist-info/METADATA", '0', 0644, ""},
              {"b.dist-info/METADATA", '0', 0644, "no field\n: x\n \n\xFF\xFE"},
              {"c.dist-info/METADATA", '0', 0644, "Name: \xFF\xFE" + long_line + "\n"},
              {"var/azureml-app/azureml-models/x", '0', 0644, "not in a version's folder"},
              {"var/lib/dpkg/status", '0', 0644,
               "Package: removed\nStatus: deinstall ok config-files\nVersion: 1\n\n\n\n"
               "Package: there\nStatus: install ok installed\nVersion: 2\n\nVersion: 3\n"}}));
  const auto inventory = TakeInventory(place.blobs(), StoreImage(place.blobs(), {layer}));
  ASSERT_TRUE(inventory.has_value()) << inventory.error().message;
  EXPECT_THAT(NamesOf(*inventory, Kind::kDebian), ElementsAre("there 2"));
  EXPECT_THAT(NamesOf(*inventory, Kind::kModel), IsEmpty());
  EXPECT_EQ(NamesOf(*inventory, Kind::kPython).size(), 1U);
}

TEST(PackageRecord, ReadsRelationsAndParagraphs) {
  EXPECT_THAT(RelationNames("libc6 (>= 2.3), a | b:any [amd64], , c<!nodoc>"),
              ElementsAre("libc6", "a", "b", "c"));
  const auto paragraphs = ParseParagraphs("A: 1\r\n  2\nB:\n\n\nC: 3\nC: 4\n", false);
  ASSERT_EQ(paragraphs.size(), 2U);
  EXPECT_EQ(FieldOf(paragraphs[0], "a"), "1 2");
  EXPECT_EQ(FieldOf(paragraphs[0], "b"), "");
  EXPECT_EQ(paragraphs[1].count("c"), 2U);
  EXPECT_EQ(ParseParagraphs("A: 1\n\nB: 2\n", true).size(), 1U);
  EXPECT_TRUE(ParseParagraphs("", false).empty());
}

/// The bill of the image above in each form.
Json BillIn(const char* form) {
  BlobFixture place;
  const auto inventory = TakeInventory(place.blobs(), MakeImage(place.blobs()));
  const auto found = FindSbomForm(form);
  EXPECT_TRUE(inventory.has_value() && found.has_value());
  const SbomSubject subject{.name = "Digits",
                            .version = "1",
                            .digest = Digest::OfText("manifest").text(),
                            .created = "2020-01-02T03:04:05Z",
                            .tool = "9.9",
                            .inventory = *inventory};
  const std::string text = found->write(subject);
  EXPECT_EQ(text, found->write(subject));
  const auto json = ParseJson(text);
  EXPECT_TRUE(json.has_value());
  return *json;
}

TEST(Sbom, SpdxNamesEveryComponentAndItsRelations) {
  const Json bill = BillIn("spdx");
  EXPECT_EQ(bill["spdxVersion"], "SPDX-2.3");
  EXPECT_EQ(bill["creationInfo"]["created"], "2020-01-02T03:04:05Z");
  std::map<std::string, Json> packages;
  std::set<std::string> ids;
  for (const Json& package : bill["packages"]) {
    packages[package["name"]] = package;
    EXPECT_TRUE(ids.insert(package["SPDXID"]).second) << package["SPDXID"];
  }
  EXPECT_EQ(packages.size(), 10U);
  EXPECT_EQ(packages.at("numpy")["licenseDeclared"], "BSD-3-Clause");
  EXPECT_EQ(packages.at("six")["licenseDeclared"], "NOASSERTION");
  EXPECT_EQ(packages.at("six")["licenseComments"], "declared as: MIT License");
  EXPECT_EQ(packages.at("zlib1g")["supplier"], "Organization: Mark Brown (broonie@debian.org)");
  EXPECT_EQ(packages.at("Digits")["primaryPackagePurpose"], "CONTAINER");
  const auto related = [&](const std::string& from, const char* kind, const std::string& to) {
    return std::ranges::any_of(bill["relationships"], [&](const Json& relation) {
      return relation["spdxElementId"] == packages.at(from)["SPDXID"] &&
             relation["relationshipType"] == kind &&
             relation["relatedSpdxElement"] == packages.at(to)["SPDXID"];
    });
  };
  EXPECT_TRUE(related("Digits", "CONTAINS", "score.py"));
  EXPECT_TRUE(related("numpy", "DEPENDS_ON", "six"));
  EXPECT_TRUE(related("zlib1g", "DEPENDS_ON", "libc6"));
  EXPECT_FALSE(related("six", "DEPENDS_ON", "numpy"));
}

TEST(Sbom, CycloneDxNamesEveryComponentAndItsDependencies) {
  const Json bill = BillIn("cyclonedx");
  EXPECT_EQ(bill["specVersion"], "1.5");
  EXPECT_THAT(bill["serialNumber"].get<std::string>(),
              ::testing::MatchesRegex("urn:uuid:[0-9a-f]+-[0-9a-f]+-8[0-9a-f]+-[89ab][0-9a-f]+-"
                                      "[0-9a-f]+"));
  std::map<std::string, Json> components;
  for (const Json& component : bill["components"]) components[component["name"]] = component;
  EXPECT_EQ(components.size(), 9U);
  EXPECT_EQ(components.at("digits/model.onnx")["type"], "machine-learning-model");
  EXPECT_EQ(components.at("digits/model.onnx")["hashes"][0]["content"],
            Digest::OfText("weights").hex());
  EXPECT_EQ(components.at("numpy")["purl"], "pkg:pypi/numpy@2.0.1");
  const auto numpy = std::ranges::find_if(bill["dependencies"], [&](const Json& one) {
    return one["ref"] == components.at("numpy")["bom-ref"];
  });
  ASSERT_NE(numpy, bill["dependencies"].end());
  EXPECT_EQ((*numpy)["dependsOn"], Json::array({components.at("six")["bom-ref"]}));
  EXPECT_FALSE(FindSbomForm("xml").has_value());
}

}  // namespace
}  // namespace slipway::imagebuilder
