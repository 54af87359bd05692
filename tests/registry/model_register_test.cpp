// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <set>
#include <thread>
#include <vector>

#include "base/limits.h"
#include "tests/registry/fixture.h"

namespace slipway::registry::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using RegisterTest = RegistryTest;

TEST_F(RegisterTest, KeepsAllThatWasSaid) {
  RegisterRequest request{.workspace = "w", .name = "MyModel"};
  request.files = {store_.Put("b/two.bin", "22"), store_.Put("a.bin", "1")};
  request.framework = "Custom";
  request.framework_version = "1.3";
  request.description = "two\nlines, ü";
  request.tags = {{"onnx", ""}, {"area", "vision \"quoted\""}};
  request.properties = {{"source", "notebook"}};
  const ModelVersion model = Must(registry_.Register(request));
  EXPECT_EQ(model.workspace, "w");
  EXPECT_EQ(model.name, "MyModel");
  EXPECT_EQ(model.version, 1);
  EXPECT_EQ(model.id, "MyModel:1");
  EXPECT_EQ(model.size, 3);
  EXPECT_EQ(model.main_file, "");
  EXPECT_THAT(model.files, ElementsAre(request.files[1], request.files[0]));
  EXPECT_EQ(model.framework, "Custom");
  EXPECT_EQ(model.framework_version, "1.3");
  EXPECT_EQ(model.description, request.description);
  EXPECT_EQ(model.kv_tags, request.tags);
  EXPECT_THAT(model.tags, ElementsAre("area", "onnx"));
  EXPECT_EQ(model.properties, request.properties);
  EXPECT_EQ(model.created_time, model.updated_time);
  EXPECT_TRUE(ParseTime(model.created_time));
  EXPECT_FALSE(model.etag.empty());

  const ModelVersion again = Must(registry_.Get("w", "MyModel", 1));
  EXPECT_EQ(again.files, model.files);
  EXPECT_EQ(again.kv_tags, model.kv_tags);
  EXPECT_EQ(again.etag, model.etag);
}

TEST_F(RegisterTest, DigestIsOfSortedPathsAndDigests) {
  const ModelFile a = store_.Put("a", "1");
  const ModelFile b = store_.Put("b", "2");
  const std::string text = a.path + '\0' + a.digest + "\n" + b.path + '\0' + b.digest + "\n";
  const ModelVersion one =
      Must(registry_.Register({.workspace = "w", .name = "m", .files = {b, a}}));
  EXPECT_EQ(one.digest, Digest::OfText(text).text());
  ModelFile renamed = b;
  renamed.path = "c";
  const ModelVersion two =
      Must(registry_.Register({.workspace = "w", .name = "m", .files = {a, renamed}}));
  EXPECT_NE(two.digest, one.digest);
}

TEST_F(RegisterTest, SameContentIsANewVersion) {
  const ModelVersion one = Register("m");
  const ModelVersion two = Register("m");
  EXPECT_EQ(two.version, 2);
  EXPECT_EQ(two.digest, one.digest);
  EXPECT_NE(two.etag, one.etag);
  EXPECT_EQ(Register("other").version, 1);
}

TEST_F(RegisterTest, WorkspacesAndCaseKeepNamesApart) {
  EXPECT_EQ(Register("MyModel").version, 1);
  EXPECT_EQ(Register("mymodel").version, 1);
  RegisterRequest request = store_.Request("MyModel", "content");
  request.workspace = "v";
  EXPECT_EQ(Must(registry_.Register(request)).version, 1);
  EXPECT_FALSE(registry_.Get("v", "mymodel", 0));
}

TEST_F(RegisterTest, VersionsAreNeverReused) {
  Register("m");
  Register("m");
  Must(registry_.Delete("w", "m", 2));
  EXPECT_EQ(Register("m").version, 3);
  Must(registry_.Delete("w", "m", 1));
  Must(registry_.Delete("w", "m", 0));
  EXPECT_THAT(registry_.Get("w", "m", 0), FailsWith(Code::kNotFound, "Model.NotFound"));
  EXPECT_EQ(Register("m").version, 4);
}

TEST_F(RegisterTest, DeleteTakesEverythingOfTheVersion) {
  RegisterRequest request = store_.Request("m", "content");
  request.tags = {{"a", "b"}};
  request.properties = {{"a", "b"}};
  Must(registry_.Register(request));
  Must(registry_.Delete("w", "m", 1));
  for (const char* table : {"models", "model_files", "model_tags", "model_properties"}) {
    EXPECT_EQ(Count(table), 0) << table;
  }
  EXPECT_THAT(registry_.Delete("w", "m", 1), FailsWith(Code::kNotFound, "Model.NotFound"));
}

TEST_F(RegisterTest, NotFoundNamesWhatAndWhere) {
  const Error error = MustFail(registry_.Get("w", "nothing", 7));
  EXPECT_EQ(error.id, "Model.NotFound");
  EXPECT_THAT(error.message, HasSubstr("\"nothing:7\""));
  EXPECT_THAT(error.message, HasSubstr("\"w\""));
}

TEST_F(RegisterTest, RefusesBadNamesAndFields) {
  RegisterRequest request = store_.Request("a/b", "content");
  EXPECT_THAT(registry_.Register(request), FailsWith(Code::kInvalidArgument, "Model.Name"));
  request.name = "m";
  request.workspace = "";
  EXPECT_THAT(registry_.Register(request), FailsWith(Code::kInvalidArgument, "Name.Invalid"));
  request.workspace = "w";
  request.description = "\xff";
  EXPECT_THAT(registry_.Register(request), FailsWith(Code::kInvalidArgument, "Model.Field"));
  request.description = "";
  request.tags = {{"", ""}};
  EXPECT_THAT(registry_.Register(request), FailsWith(Code::kInvalidArgument, "Model.Field"));
  request.tags.clear();
  request.properties = {{"a", std::string(limits::kTextChars + 1, 'x')}};
  EXPECT_THAT(registry_.Register(request), FailsWith(Code::kInvalidArgument, "Model.Field"));
  EXPECT_EQ(Count("models"), 0);
  EXPECT_EQ(Count("model_names"), 0);
}

struct BadFiles {
  const char* name;
  const char* said;
  std::vector<ModelFile> (*files)(const Store& store);
};

class BadFilesTest : public RegistryTest, public ::testing::WithParamInterface<BadFiles> {};

TEST_P(BadFilesTest, AreRefusedByName) {
  const auto registered =
      registry_.Register({.workspace = "w", .name = "m", .files = GetParam().files(store_)});
  ASSERT_THAT(registered, FailsWith(Code::kInvalidArgument, "Model.File"));
  EXPECT_THAT(registered.error().message, HasSubstr(GetParam().said));
  EXPECT_EQ(Count("models"), 0);
  EXPECT_EQ(Count("model_names"), 0);
}

ModelFile Changed(ModelFile file, std::string digest, std::int64_t size) {
  file.digest = std::move(digest);
  file.size = size;
  return file;
}

INSTANTIATE_TEST_SUITE_P(
    Registry, BadFilesTest,
    ::testing::Values(
        BadFiles{"None", "at least one", [](const Store&) { return std::vector<ModelFile>(); }},
        BadFiles{"Absolute", "\"/etc/passwd\"",
                 [](const Store& s) { return std::vector{s.Put("/etc/passwd", "x")}; }},
        BadFiles{"Upward", "\"a/../../b\"",
                 [](const Store& s) { return std::vector{s.Put("a/../../b", "x")}; }},
        BadFiles{"Nul", "\"a?b\"",
                 [](const Store& s) { return std::vector{s.Put(std::string("a\0b", 3), "x")}; }},
        BadFiles{"Twice", "\"a\" is listed twice",
                 [](const Store& s) {
                   return std::vector{s.Put("a", "x"), s.Put("a", "y")};
                 }},
        BadFiles{
            "FileIsFolder", "\"a/b\" is also the folder",
            [](const Store& s) {
              return std::vector{s.Put("a/b", "x"), s.Put("a/b-c", "z"), s.Put("a/b/c/d", "y")};
            }},
        BadFiles{"Missing", "not stored here",
                 [](const Store& s) {
                   return std::vector{
                       Changed(s.Put("a", "x"), Digest::OfText("elsewhere").text(), 0)};
                 }},
        BadFiles{"NoDigest", "\"md5:12\"",
                 [](const Store& s) { return std::vector{Changed(s.Put("a", "x"), "md5:12", 1)}; }},
        BadFiles{"OtherSize", "said to have 7 bytes, but has 1",
                 [](const Store& s) {
                   const ModelFile file = s.Put("a", "x");
                   return std::vector{Changed(file, file.digest, 7)};
                 }},
        BadFiles{"TooMany", "10001 files",
                 [](const Store& s) {
                   std::vector<ModelFile> files;
                   const ModelFile file = s.Put("a", "x");
                   for (int i = 0; i <= limits::kModelFiles; ++i) {
                     files.push_back(file);
                     files.back().path = std::to_string(i);
                   }
                   return files;
                 }}),
    [](const auto& test) { return test.param.name; });

TEST_F(RegisterTest, MainFileMustBeAmongTheFiles) {
  RegisterRequest request = store_.Request("m", "content");
  request.main_file = "other.onnx";
  const auto registered = registry_.Register(request);
  EXPECT_THAT(registered, FailsWith(Code::kInvalidArgument, "Model.File"));
  EXPECT_THAT(registered.error().message, HasSubstr("other.onnx"));
}

TEST_F(RegisterTest, OnnxFrameworkNeedsOneMainFile) {
  RegisterRequest request{.workspace = "w", .name = "m", .framework = "ONNX"};
  request.files = {store_.Put("a.bin", "x"), store_.Put("b.bin", "y")};
  EXPECT_THAT(registry_.Register(request), FailsWith(Code::kInvalidArgument, "Model.File"));
  request.files = {store_.Put("a.onnx", "x"), store_.Put("b.onnx", "y")};
  const auto registered = registry_.Register(request);
  EXPECT_THAT(registered, FailsWith(Code::kInvalidArgument, "Model.File"));
  EXPECT_THAT(registered.error().message, HasSubstr("\"b.onnx\""));
  request.framework = "";
  EXPECT_EQ(Must(registry_.Register(request)).main_file, "");
}

TEST_F(RegisterTest, TakesAsManyFilesAsTheLimitSays) {
  RegisterRequest request{.workspace = "w", .name = "m"};
  const ModelFile file = store_.Put("", "x");
  for (int i = 0; i < limits::kModelFiles; ++i) {
    request.files.push_back(file);
    request.files.back().path = "part-" + std::to_string(i);
  }
  EXPECT_EQ(Must(registry_.Register(request)).files.size(), request.files.size());
  EXPECT_EQ(Must(registry_.Get("w", "m", 1)).size, limits::kModelFiles);
}

TEST_F(RegisterTest, RegisteringSparesOldBlobsFromCollection) {
  const RegisterRequest request = store_.Request("m", "content");
  const auto path = Must(store_.blobs->Path(*Digest::Parse(request.files[0].digest)));
  std::filesystem::last_write_time(
      path, std::filesystem::file_time_type::clock::now() - std::chrono::hours(48));
  const std::set<Digest> kept_before = Must(registry_.BlobsInUse());
  EXPECT_TRUE(kept_before.empty());
  Must(registry_.Register(request));
  EXPECT_EQ(Must(store_.blobs->CollectGarbage(kept_before, 3600)), 0);
  EXPECT_TRUE(std::filesystem::exists(path));
}

TEST_F(RegisterTest, BlobsInUseAreThoseOfAllVersions) {
  const ModelVersion one = Register("a", "1");
  const ModelVersion two = Register("b", "2");
  Register("c", "2");
  EXPECT_THAT(Must(registry_.BlobsInUse()),
              ::testing::UnorderedElementsAre(*Digest::Parse(one.files[0].digest),
                                              *Digest::Parse(two.files[0].digest)));
  Must(registry_.Delete("w", "a", 1));
  Must(registry_.Delete("w", "b", 1));
  EXPECT_THAT(Must(registry_.BlobsInUse()), ElementsAre(*Digest::Parse(two.files[0].digest)));
}

TEST_F(RegisterTest, ThreadsGetVersionsOfTheirOwn) {
  constexpr int kThreads = 8;
  constexpr int kEach = 25;
  std::vector<std::vector<std::int64_t>> versions(kThreads);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kEach; ++i) {
        versions[static_cast<std::size_t>(t)].push_back(
            Register("shared", std::to_string(t) + "/" + std::to_string(i)).version);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::set<std::int64_t> all;
  for (const auto& mine : versions) {
    EXPECT_TRUE(std::ranges::is_sorted(mine));
    all.insert(mine.begin(), mine.end());
  }
  EXPECT_EQ(all.size(), static_cast<std::size_t>(kThreads * kEach));
  EXPECT_EQ(*all.begin(), 1);
  EXPECT_EQ(*all.rbegin(), kThreads * kEach);
}

TEST_F(RegisterTest, TwoRegistriesOnOneFileShareTheSequence) {
  Store other(folder_.path());
  std::vector<std::thread> threads;
  for (Registry* registry : {&registry_, other.registry.get()}) {
    threads.emplace_back([&, registry] {
      for (int i = 0; i < 50; ++i) Must(registry->Register(store_.Request("m", "content")));
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(Must(other.registry->Get("w", "m", 0)).version, 100);
  EXPECT_EQ(Count("models"), 100);
}

}  // namespace
}  // namespace slipway::registry::testing
