// SPDX-License-Identifier: Apache-2.0
#include "cli/served_image.h"

#include <gtest/gtest.h>

#include "base/file.h"
#include "tests/support/tempdir.h"

namespace slipway::cli {
namespace {

class GivenImages : public ::testing::Test {
 protected:
  void Write(const std::string& name, const std::string& text) {
    ASSERT_TRUE(MakeFolders((folder_ / name).parent_path()));
    ASSERT_TRUE(WriteFileAtomic(folder_ / name, text));
  }
  std::string NameOf(const std::string& given) const {
    const auto image = FindGivenImage(folder_.path(), given);
    return image ? image->name : "none";
  }
  std::string PlaceOf(const std::string& given) const {
    const auto image = FindGivenImage(folder_.path(), given);
    return image ? image->place.string() : "none";
  }
  testing::TempDir folder_;
};

TEST_F(GivenImages, NamesAreThoseOfNoFile) {
  for (const char* name : {"digits", "digits:3", "my.model:2", "digits:latest"}) {
    EXPECT_EQ(NameOf(name), name);
  }
  for (const char* other : {"absent.onnx", "a/b", "a/b:1", "digits:", "digits:v1", ":1", "",
                            "registry.example.com:5000/a:1", "model.tar"}) {
    EXPECT_EQ(NameOf(other), "none") << other;
  }
}

TEST_F(GivenImages, WhatIsThereComesBeforeANameAndSaysItself) {
  std::string tar(512, '\0');
  tar.replace(257, 5, "ustar");
  Write("archive", tar);
  Write("digits", "an ONNX model without an ending");
  Write("short", "x");
  Write("layout/index.json", "{}");
  Write("model/m.onnx", "x");
  EXPECT_EQ(PlaceOf("archive"), (folder_ / "archive").string());
  EXPECT_EQ(PlaceOf("layout"), (folder_ / "layout").string());
  EXPECT_EQ(PlaceOf("./layout/../layout"), (folder_ / "layout").string());
  for (const char* model : {"digits", "short", "model", "model/m.onnx"}) {
    EXPECT_EQ(PlaceOf(model), "none") << model;
  }
}

}  // namespace
}  // namespace slipway::cli
