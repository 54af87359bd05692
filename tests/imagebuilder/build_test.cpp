// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <time.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <clocale>
#include <cstdlib>
#include <filesystem>
#include <set>
#include <string>
#include <thread>

#include "imagebuilder/imagebuilder.h"
#include "imagebuilder/recipe.h"
#include "tests/support/image_fixture.h"

namespace slipway::imagebuilder {
namespace {

namespace fs = std::filesystem;
using testing::BlobFixture;

ModelInput MakeModel(const BlobFixture& place, const std::string& name, std::int64_t version) {
  return {.name = name,
          .version = version,
          .main_file = "model.onnx",
          .files = {{.path = "model.onnx",
                     .source = place.Write(name + "/model.onnx", "weights of " + name),
                     .digest = Digest::OfText("weights of " + name).text(),
                     .size = static_cast<std::int64_t>(11 + name.size())},
                    {.path = "data/labels é.txt",
                     .source = place.Write(name + "/labels", "zero\none\n"),
                     .digest = "",
                     .size = 9}}};
}

BuildSpec MakeSpec(const BlobFixture& place) {
  return {.models = {MakeModel(place, "digits", 1), MakeModel(place, "mnist", 12)},
          .server_program = "/bin/cat",
          .environment = {{"WORKER_COUNT", "2"}},
          .labels = {{"org.opencontainers.image.source", "test"}}};
}

Image MustBuild(const BuildSpec& spec, BlobStore& blobs) {
  const auto cache = MakeMemoryLayerCache();
  BuildContext context{.blobs = blobs, .cache = *cache};
  const auto image = Build(spec, context);
  EXPECT_TRUE(image.has_value()) << image.error().message;
  if (!image) return {};
  const auto valid = Validate(blobs, *image);
  EXPECT_TRUE(valid.has_value()) << valid.error().message;
  return *image;
}

/// Names of the files in a layer of the image, without their folders.
std::set<std::string> NamesIn(const std::vector<LayerRecipe>& recipes, std::string_view layer) {
  std::set<std::string> names;
  for (const LayerRecipe& recipe : recipes) {
    if (recipe.name != layer) continue;
    for (const LayerRecipe::Item& item : recipe.items) {
      if (item.entry.kind == FileEntry::Kind::kFile) {
        names.insert(fs::path(item.entry.path).filename());
      }
    }
  }
  return names;
}

TEST(Build, PutsLibrariesOfOperatorsBesideTheServersWithWhatTheyLoad) {
  BlobFixture place;
  BuildSpec spec = MakeSpec(place);
  spec.libraries = {SLIPWAY_BINARY_DIR "/lib/libslipway_image.so.1"};
  const auto cache = MakeMemoryLayerCache();
  BuildContext context{.blobs = place.blobs(), .cache = *cache};
  const auto recipes = MakeRecipes(spec, context);
  ASSERT_TRUE(recipes.has_value()) << recipes.error().message;
  const std::set<std::string> names = NamesIn(*recipes, "libraries");
  EXPECT_THAT(names, ::testing::IsSupersetOf({"libslipway_image.so.1", "libpng16.so.16"}));
  for (const std::string& name : NamesIn(*recipes, "server")) EXPECT_FALSE(names.contains(name));

  spec.libraries = {place.folder() / "libgone.so"};
  const auto without = Build(spec, context);
  ASSERT_FALSE(without.has_value());
  EXPECT_EQ(without.error().code, Code::kNotFound);
}

TEST(Build, GivesAValidImageThatReadsBackEqual) {
  BlobFixture place;
  const Image image = MustBuild(MakeSpec(place), place.blobs());
  ASSERT_EQ(image.layers.size(), 4U);
  EXPECT_EQ(image.layers[0].name, "server");
  EXPECT_EQ(image.layers[1].name, "system");
  EXPECT_EQ(image.layers[2].name, "model");
  EXPECT_EQ(image.layers[3].name, "config");
  const auto loaded = Load(place.blobs(), image.manifest.digest);
  ASSERT_TRUE(loaded.has_value()) << loaded.error().message;
  EXPECT_EQ(loaded->config, image.config);
  EXPECT_EQ(loaded->layers, image.layers);
  EXPECT_EQ(loaded->compressed_size, image.compressed_size);
}

TEST(Build, SaysWhatTheImageRuns) {
  BlobFixture place;
  BuildSpec spec = MakeSpec(place);
  spec.port = 5123;
  const Image image = MustBuild(spec, place.blobs());
  const auto run = ReadRunConfig(place.blobs(), image);
  ASSERT_TRUE(run.has_value()) << run.error().message;
  EXPECT_EQ(run->port, 5123);
  EXPECT_EQ(run->working_folder, "/var/azureml-app");
  EXPECT_EQ(run->environment,
            (std::vector<std::string>{"AML_APP_ROOT=/var/azureml-app",
                                      "AZUREML_MODEL_DIR=/var/azureml-app/azureml-models",
                                      "WORKER_COUNT=2"}));
  ASSERT_EQ(run->entrypoint.size(), 7U);
  EXPECT_TRUE(run->entrypoint[0].starts_with("/opt/slipway/lib/ld-linux"));
  EXPECT_EQ(run->entrypoint[4], "/opt/slipway/bin/slipway-serve");
  spec.models.pop_back();
  const auto one = ReadRunConfig(place.blobs(), MustBuild(spec, place.blobs()));
  ASSERT_TRUE(one.has_value());
  EXPECT_EQ(one->environment[1], "AZUREML_MODEL_DIR=/var/azureml-app/azureml-models/digits/1");
}

/// What must not matter, changed all at once.
void Disturb(BlobFixture& place, BuildSpec& spec) {
  std::ranges::reverse(spec.models);
  for (ModelInput& model : spec.models) {
    std::ranges::reverse(model.files);
    for (ModelInput::File& file : model.files) {
      fs::permissions(file.source, fs::perms(0600));
      fs::last_write_time(file.source, fs::file_time_type::clock::now() - std::chrono::hours(999));
      if (::chown(file.source.c_str(), 1234, 1234) != 0) {
        EXPECT_NE(::geteuid(), 0U);
      }
    }
  }
  const fs::path copy = place / "elsewhere/server";
  fs::create_directories(copy.parent_path());
  fs::copy_file(spec.server_program, copy, fs::copy_options::overwrite_existing);
  fs::permissions(copy, fs::perms(0700));
  spec.server_program = copy;
}

class Surroundings {
 public:
  Surroundings(mode_t mask, const char* zone, const char* locale, const fs::path& folder)
      : mask_(::umask(mask)), folder_(fs::current_path()) {
    ::setenv("TZ", zone, 1);
    ::setenv("LC_ALL", locale, 1);
    ::tzset();
    std::setlocale(LC_ALL, "");
    fs::current_path(folder);
  }
  ~Surroundings() {
    ::umask(mask_);
    ::unsetenv("TZ");
    ::unsetenv("LC_ALL");
    ::tzset();
    std::setlocale(LC_ALL, "C");
    fs::current_path(folder_);
  }
  Surroundings(const Surroundings&) = delete;
  Surroundings& operator=(const Surroundings&) = delete;

 private:
  mode_t mask_;
  fs::path folder_;
};

TEST(Build, SameInputSameDigestWhateverTheSurroundings) {
  BlobFixture first, second, third;
  BuildSpec spec = MakeSpec(first);
  const std::string digest = MustBuild(spec, first.blobs()).manifest.digest;
  BuildSpec moved = MakeSpec(second);
  Disturb(second, moved);
  {
    const Surroundings other(077, "Asia/Kathmandu", "C.UTF-8", second.folder());
    EXPECT_EQ(MustBuild(moved, second.blobs()).manifest.digest, digest);
  }
  {
    const Surroundings other(0, "America/St_Johns", "C", "/");
    EXPECT_EQ(MustBuild(moved, third.blobs()).manifest.digest, digest);
  }
}

TEST(Build, AnyChangeOfContentChangesTheDigest) {
  BlobFixture place;
  const BuildSpec spec = MakeSpec(place);
  std::vector<std::string> digests = {MustBuild(spec, place.blobs()).manifest.digest};
  const auto also = [&](const auto& change) {
    BuildSpec other = spec;
    change(other);
    digests.push_back(MustBuild(other, place.blobs()).manifest.digest);
  };
  also([](BuildSpec& s) { s.port = 5002; });
  also([](BuildSpec& s) { s.labels["a"] = "b"; });
  also([](BuildSpec& s) { s.environment["a"] = "b"; });
  also([](BuildSpec& s) { s.models[0].version = 2; });
  also([](BuildSpec& s) { s.models[0].files[1].path = "x"; });
  also([](BuildSpec& s) { s.models.pop_back(); });
  also([&](BuildSpec& s) { s.models[0].files[1].source = place.Write("other", "two\n"); });
  std::ranges::sort(digests);
  EXPECT_EQ(std::ranges::adjacent_find(digests), digests.end());
}

TEST(Build, MakesEachLayerOnce) {
  BlobFixture place;
  const BuildSpec spec = MakeSpec(place);
  const auto cache = MakeMemoryLayerCache();
  std::vector<std::string> lines;
  BuildContext context{.blobs = place.blobs(),
                       .cache = *cache,
                       .progress = [&](std::string_view line) { lines.emplace_back(line); }};
  const auto first = Build(spec, context);
  ASSERT_TRUE(first.has_value()) << first.error().message;
  lines.clear();
  const auto second = Build(spec, context);
  ASSERT_TRUE(second.has_value());
  EXPECT_EQ(second->manifest, first->manifest);
  EXPECT_EQ(lines, (std::vector<std::string>{"layer server: cached", "layer system: cached",
                                             "layer model: cached", "layer config: cached",
                                             "image: " + first->manifest.digest}));
  EXPECT_TRUE(Validate(place.blobs(), *second).has_value());
}

TEST(Build, MakesALayerAgainWhoseBlobIsGone) {
  BlobFixture place;
  const auto cache = MakeMemoryLayerCache();
  BuildContext context{.blobs = place.blobs(), .cache = *cache};
  const auto first = Build(MakeSpec(place), context);
  ASSERT_TRUE(first.has_value());
  const auto digest = Digest::Parse(first->layers[2].blob.digest);
  fs::remove(*place.blobs().Path(*digest));
  const auto plan = Plan(MakeSpec(place), context);
  ASSERT_TRUE(plan.has_value());
  EXPECT_FALSE(plan->layers[2].cached.has_value());
  EXPECT_EQ(plan->digest, "");
  const auto second = Build(MakeSpec(place), context);
  ASSERT_TRUE(second.has_value());
  EXPECT_EQ(second->manifest, first->manifest);
  EXPECT_TRUE(Validate(place.blobs(), *second).has_value());
}

TEST(Build, NoChangeTakesMilliseconds) {
  BlobFixture place;
  const BuildSpec spec = MakeSpec(place);
  const auto cache = MakeMemoryLayerCache();
  BuildContext context{.blobs = place.blobs(), .cache = *cache};
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  ASSERT_TRUE(Build(spec, context).has_value());
  auto best = std::chrono::steady_clock::duration::max();
  for (int round = 0; round < 20; ++round) {
    const auto start = std::chrono::steady_clock::now();
    ASSERT_TRUE(Build(spec, context).has_value());
    best = std::min(best, std::chrono::steady_clock::now() - start);
  }
  const double ms = std::chrono::duration<double, std::milli>(best).count();
  RecordProperty("milliseconds", std::to_string(ms));
  EXPECT_LT(ms, 50);
}

TEST(Plan, SaysWhatBuildGives) {
  BlobFixture place;
  const BuildSpec spec = MakeSpec(place);
  const auto cache = MakeMemoryLayerCache();
  BuildContext context{.blobs = place.blobs(), .cache = *cache};
  const auto before = Plan(spec, context);
  ASSERT_TRUE(before.has_value()) << before.error().message;
  EXPECT_EQ(before->digest, "");
  EXPECT_EQ(place.FilesStored(), 0);
  const auto image = Build(spec, context);
  ASSERT_TRUE(image.has_value());
  const auto after = Plan(spec, context);
  ASSERT_TRUE(after.has_value());
  EXPECT_EQ(after->digest, image->manifest.digest);
  ASSERT_EQ(after->layers.size(), image->layers.size());
  for (std::size_t i = 0; i < image->layers.size(); ++i) {
    EXPECT_EQ(before->layers[i].unpacked_size, image->layers[i].unpacked_size);
    EXPECT_EQ(before->layers[i].key, after->layers[i].key);
    EXPECT_EQ(after->layers[i].cached, image->layers[i]);
  }
}

TEST(Build, StopsWhenCancelledAndLeavesNothing) {
  BlobFixture place;
  for (const int after : {0, 1, 5, 20}) {
    const auto cache = MakeMemoryLayerCache();
    int polls = 0;
    BuildContext context{
        .blobs = place.blobs(), .cache = *cache, .cancelled = [&] { return polls++ >= after; }};
    const auto image = Build(MakeSpec(place), context);
    ASSERT_FALSE(image.has_value());
    EXPECT_EQ(image.error().code, Code::kUnavailable);
    EXPECT_EQ(image.error().id, "Image.Cancelled");
    EXPECT_EQ(place.FilesStored(), 0) << after;
  }
}

TEST(Build, AtOnceGivesTheSame) {
  BlobFixture place;
  const BuildSpec spec = MakeSpec(place);
  const auto cache = MakeMemoryLayerCache();
  std::vector<std::string> digests(4);
  {
    std::vector<std::jthread> threads;
    for (std::string& digest : digests) {
      threads.emplace_back([&] {
        BuildContext context{.blobs = place.blobs(), .cache = *cache};
        const auto image = Build(spec, context);
        digest = image ? image->manifest.digest : image.error().message;
      });
    }
  }
  for (const std::string& digest : digests) EXPECT_EQ(digest, digests.front());
  const auto image = Load(place.blobs(), digests.front());
  ASSERT_TRUE(image.has_value());
  EXPECT_TRUE(Validate(place.blobs(), *image).has_value());
  EXPECT_EQ(place.FilesStored(), std::ssize(image->layers) + 2);
}

TEST(Build, NoticesASourceThatIsNotWhatItsDigestSays) {
  BlobFixture place;
  BuildSpec spec = MakeSpec(place);
  spec.models[0].files[0].digest = Digest::OfText("something else").text();
  const auto cache = MakeMemoryLayerCache();
  BuildContext context{.blobs = place.blobs(), .cache = *cache};
  const auto image = Build(spec, context);
  ASSERT_FALSE(image.has_value());
  EXPECT_EQ(image.error().id, "Image.SourceChanged");
  EXPECT_NE(image.error().message.find("digits/model.onnx"), std::string::npos);
}

/// The scoring server as a file of the test's own.
fs::path CopyOfServer(const BlobFixture& place) {
  return place.Write("server", testing::Slurp("/bin/cat"));
}

TEST(Build, NoticesAServerThatIsWrittenWhileItIsPacked) {
  BlobFixture place;
  BuildSpec spec = MakeSpec(place);
  spec.server_program = CopyOfServer(place);
  const auto cache = MakeMemoryLayerCache();
  BuildContext context{
      .blobs = place.blobs(), .cache = *cache, .progress = [&](std::string_view line) {
        if (line.starts_with("layer server: packing")) CopyOfServer(place);
      }};
  const auto image = Build(spec, context);
  ASSERT_FALSE(image.has_value());
  EXPECT_EQ(image.error().id, "Image.SourceChanged");
  EXPECT_NE(image.error().message.find("server was written while it was packed"),
            std::string::npos);
  EXPECT_EQ(place.FilesStored(), 0);
}

TEST(Build, PacksAServerAgainThatWasWrittenAgain) {
  BlobFixture place;
  BuildSpec spec = MakeSpec(place);
  spec.server_program = CopyOfServer(place);
  const auto cache = MakeMemoryLayerCache();
  BuildContext context{.blobs = place.blobs(), .cache = *cache};
  const auto first = Build(spec, context);
  ASSERT_TRUE(first.has_value()) << first.error().message;
  CopyOfServer(place);
  const auto same = Build(spec, context);
  ASSERT_TRUE(same.has_value()) << same.error().message;
  EXPECT_EQ(same->manifest.digest, first->manifest.digest);
  std::string other = testing::Slurp(spec.server_program);
  other.back() = static_cast<char>(other.back() ^ 1);
  place.Write("server", other);
  const auto changed = Build(spec, context);
  ASSERT_TRUE(changed.has_value()) << changed.error().message;
  EXPECT_NE(changed->layers.front().diff_id, first->layers.front().diff_id);
  EXPECT_EQ(changed->layers.back(), first->layers.back());
}

TEST(Build, NamesTheSourceThatIsNotThere) {
  BlobFixture place;
  BuildSpec spec = MakeSpec(place);
  spec.models[0].files[0].source = place / "nowhere.onnx";
  const auto cache = MakeMemoryLayerCache();
  BuildContext context{.blobs = place.blobs(), .cache = *cache};
  const auto image = Build(spec, context);
  ASSERT_FALSE(image.has_value());
  EXPECT_EQ(image.error().code, Code::kNotFound);
  EXPECT_NE(image.error().message.find("nowhere.onnx"), std::string::npos);
  EXPECT_EQ(Build(BuildSpec{.models = spec.models, .server_program = place / "no-server"}, context)
                .error()
                .code,
            Code::kNotFound);
}

TEST(Build, RefusesASpecThatIsWrong) {
  BlobFixture place;
  const auto refuse = [&](std::string_view what, const auto& change) {
    BuildSpec spec = MakeSpec(place);
    change(spec);
    const auto cache = MakeMemoryLayerCache();
    BuildContext context{.blobs = place.blobs(), .cache = *cache};
    const auto image = Build(spec, context);
    ASSERT_FALSE(image.has_value()) << what;
    EXPECT_EQ(image.error().code, Code::kInvalidArgument) << what;
    EXPECT_EQ(image.error().id, "Image.Spec") << what;
    EXPECT_EQ(place.FilesStored(), 0) << what;
  };
  refuse("no models", [](BuildSpec& s) { s.models.clear(); });
  refuse("port", [](BuildSpec& s) { s.port = 65536; });
  refuse("no port", [](BuildSpec& s) { s.port = 0; });
  refuse("same model", [](BuildSpec& s) { s.models[1] = s.models[0]; });
  refuse("name", [](BuildSpec& s) { s.models[0].name = "../../etc"; });
  refuse("empty name", [](BuildSpec& s) { s.models[0].name = ""; });
  refuse("version", [](BuildSpec& s) { s.models[0].version = 0; });
  refuse("no files", [](BuildSpec& s) { s.models[0].files.clear(); });
  refuse("main file", [](BuildSpec& s) { s.models[0].main_file = "x"; });
  refuse("path", [](BuildSpec& s) { s.models[0].files[1].path = "../x"; });
  refuse("absolute", [](BuildSpec& s) { s.models[0].files[1].path = "/x"; });
  refuse("digest", [](BuildSpec& s) { s.models[0].files[1].digest = "sha256:12"; });
  refuse("same path", [](BuildSpec& s) { s.models[0].files[1].path = "model.onnx"; });
  refuse("variable", [](BuildSpec& s) { s.environment["A=B"] = "c"; });
  refuse("value", [](BuildSpec& s) { s.environment["A"] = "\xff"; });
  refuse("label", [](BuildSpec& s) { s.labels[""] = "c"; });
  refuse("machine", [](BuildSpec& s) { s.architecture = "riscv64"; });
  refuse("server", [&](BuildSpec& s) { s.server_program = place.Write("script", "#!/bin/sh\n"); });
}

}  // namespace
}  // namespace slipway::imagebuilder
