// SPDX-License-Identifier: Apache-2.0
#include "cli/upload.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>

#include "base/file.h"
#include "cli/arguments.h"
#include "cli/download.h"
#include "tests/support/tempdir.h"

namespace slipway::cli {
namespace {

class ModelFilesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const char* path : {"m/model.onnx", "m/data/weights.bin", "m/data/more.bin", "m/notes"}) {
      ASSERT_TRUE(MakeFolders((folder_ / path).parent_path()));
      ASSERT_TRUE(WriteFileAtomic(folder_ / path, "content"));
    }
  }
  std::vector<std::string> Paths(const std::string& path,
                                 const std::vector<std::string>& children = {}) {
    const auto files = FindModelFiles(folder_ / path, children);
    if (!files) return {files.error().id + ": " + files.error().message};
    std::vector<std::string> paths;
    for (const ModelSource& file : *files) paths.push_back(file.path);
    return paths;
  }
  testing::TempDir folder_;
};

TEST_F(ModelFilesTest, OneFileIsItsName) {
  EXPECT_EQ(Paths("m/data/more.bin"), std::vector<std::string>{"more.bin"});
}

TEST_F(ModelFilesTest, FolderIsAllBelowItByRelativePathInOrder) {
  const std::vector<std::string> all = {"data/more.bin", "data/weights.bin", "model.onnx", "notes"};
  EXPECT_EQ(Paths("m"), all);
  EXPECT_EQ(Paths("m/"), all);
}

TEST_F(ModelFilesTest, ChildrenChoose) {
  const std::vector<std::string> some = {"data/more.bin", "data/weights.bin", "notes"};
  EXPECT_EQ(Paths("m", {"notes", "data", "data/more.bin"}), some);
  EXPECT_TRUE(Paths("m", {"../m2"}).front().starts_with("Model.File: ../m2"));
  EXPECT_NE(Paths("m", {"absent"}).front().find("absent"), std::string::npos);
  EXPECT_TRUE(Paths("m/notes", {"x"}).front().starts_with("Model.File"));
}

TEST_F(ModelFilesTest, SamplesLieBesideTheModel) {
  for (const char* path : {"one/request.json", "one/more/x", "test_data_set_7/input_0.pb",
                           "test_data_set_7/output_0.pb", "wrong/answer.json"}) {
    ASSERT_TRUE(MakeFolders((folder_ / path).parent_path()));
    ASSERT_TRUE(WriteFileAtomic(folder_ / path, "content"));
  }
  auto files = FindModelFiles(folder_ / "m/model.onnx", {});
  ASSERT_TRUE(files);
  const auto paths = [&files] {
    std::vector<std::string> all;
    for (const ModelSource& file : *files) all.push_back(file.path);
    std::sort(all.begin(), all.end());
    return all;
  };
  ASSERT_TRUE(
      AddSamples({folder_ / "one/", folder_ / "test_data_set_7", folder_ / "one"}, "", *files));
  EXPECT_EQ(paths(), (std::vector<std::string>{
                         "model.onnx", "test_data_set_0/more/x", "test_data_set_0/request.json",
                         "test_data_set_1/more/x", "test_data_set_1/request.json",
                         "test_data_set_7/input_0.pb", "test_data_set_7/output_0.pb"}));
  *files = {{.path = "net/model.onnx", .file = folder_ / "m/model.onnx"}};
  ASSERT_TRUE(AddSamples({folder_ / "test_data_set_7"}, "", *files));
  EXPECT_EQ(paths().back(), "net/test_data_set_7/output_0.pb");
  EXPECT_EQ(AddSamples({folder_ / "wrong"}, "", *files).error().id, "Model.Sample");
  EXPECT_EQ(AddSamples({folder_ / "absent"}, "", *files).error().id, "Model.Sample");
}

TEST_F(ModelFilesTest, WhatIsNoFileIsNamed) {
  ASSERT_EQ(::mkfifo((folder_ / "m/pipe").c_str(), 0600), 0);
  EXPECT_NE(Paths("m").front().find("m/pipe is no regular file"), std::string::npos);
  ASSERT_TRUE(MakeFolders(folder_ / "empty"));
  EXPECT_TRUE(Paths("empty").front().starts_with("Model.Empty"));
  EXPECT_NE(Paths("absent").front().find("absent"), std::string::npos);
}

TEST(CheckPathInsideTest, RefusesWhatLeavesTheFolder) {
  EXPECT_TRUE(CheckPathInside("a/b"));
  for (const char* path : {"", "/etc/passwd", "..", "a/../../b", "../a"}) {
    EXPECT_FALSE(CheckPathInside(path)) << path;
  }
}

TEST(ParsePairsTest, KeyAloneOrWithValue) {
  const auto pairs = ParsePairs("--tag", {"onnx", "stage=dev", "a=b=c", "stage=prod"});
  ASSERT_TRUE(pairs) << pairs.error().message;
  EXPECT_EQ(*pairs, (api::TextMap{{"a", "b=c"}, {"onnx", ""}, {"stage", "prod"}}));
  EXPECT_EQ(ParsePairs("--tag", {"=x"}).error().message, "--tag '=x' has no key");
}

TEST(ParseVersionedNameTest, VersionIsLatestWhereThereIsNone) {
  EXPECT_EQ(ParseVersionedName("digits")->version, "latest");
  EXPECT_EQ(ParseVersionedName("digits:12")->version, "12");
  EXPECT_EQ(VersionPath("models", {"a b", "1"}), "/models/a%20b/versions/1");
  EXPECT_FALSE(ParseVersionedName("digits:"));
  EXPECT_FALSE(ParseVersionedName(""));
  EXPECT_FALSE(ParseExactVersion("digits"));
}

}  // namespace
}  // namespace slipway::cli
