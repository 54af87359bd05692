// SPDX-License-Identifier: Apache-2.0
#include "imagebuilder/python/stand_ins.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/http/server.h"
#include "imagebuilder/python/pip.h"
#include "imagebuilder/python/python_place.h"
#include "tests/imagebuilder/run_program.h"
#include "tests/support/http_fixture.h"
#include "tests/support/tempdir.h"

namespace slipway::imagebuilder {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// Writes a wheel: FILE NAME VERSION REQUIREMENT...
constexpr const char* kMakeWheel = R"(
import sys, zipfile
file, name, version, *needs = sys.argv[1:]
stem = "%s-%s.dist-info/" % (name.replace("-", "_"), version)
with zipfile.ZipFile(file, "w") as wheel:
    lines = ["Metadata-Version: 2.1", "Name: " + name, "Version: " + version]
    wheel.writestr(stem + "METADATA", "\n".join(lines + ["Requires-Dist: " + n for n in needs]) + "\n")
    wheel.writestr(stem + "WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
    wheel.writestr(stem + "RECORD", "")
)";

/// An index of wheels in this process that remembers what it was asked for.
class Index {
 public:
  Index() {
    server_ = testing::StartServer(
        testing::LocalOptions(), [this](const http::Request& request) { return Answer(request); });
  }
  /// A wheel, or what only looks like one from outside where `broken`.
  void Add(const std::string& name, const std::string& version,
           const std::vector<std::string>& needs, bool broken = false) {
    std::string stem = name;
    std::ranges::replace(stem, '-', '_');
    const std::string file = stem + "-" + version + "-py3-none-any.whl";
    std::string content = "no wheel";
    if (!broken) {
      std::vector<std::string> argv = {"python3", "-c", kMakeWheel, folder_ / file, name, version};
      argv.insert(argv.end(), needs.begin(), needs.end());
      const Ran made = RunProgram(argv);
      ASSERT_EQ(made.status, 0) << made.output;
      content = testing::Slurp(folder_ / file);
    }
    const std::lock_guard lock(mutex_);
    files_[name][file] = content;
  }
  std::vector<std::string> Asked() {
    const std::lock_guard lock(mutex_);
    return asked_;
  }
  std::string Option() const { return "--index-url " + testing::UrlOf(*server_) + "/simple"; }

 private:
  http::Response Answer(const http::Request& request) {
    const std::lock_guard lock(mutex_);
    asked_.push_back(request.target);
    http::Response response;
    response.headers.Set("Content-Type", "text/html");
    for (const auto& [name, files] : files_) {
      if (request.target == "/simple/" + name + "/") {
        for (const auto& [file, content] : files) {
          response.body += "<a href=\"/files/" + file + "\">" + file + "</a>\n";
        }
        return response;
      }
      const auto found = files.find(fs::path(request.target).filename());
      if (found == files.end()) continue;
      response.headers.Set("Content-Type", "application/octet-stream");
      response.body = found->second;
      return response;
    }
    response.status = 404;
    return response;
  }

  testing::TempDir folder_;
  std::mutex mutex_;  // guards files_ and asked_
  std::map<std::string, std::map<std::string, std::string>> files_;
  std::vector<std::string> asked_;
  std::unique_ptr<http::Server> server_;
};

/// Resolves with this machine's Python and Debian's pip, against an index of the test's own.
class StandIns : public ::testing::Test {
 protected:
  void SetUp() override {
    std::error_code failed;
    for (fs::directory_iterator at("/usr/share/python-wheels", failed), end; !failed && at != end;
         at.increment(failed)) {
      if (at->path().filename().string().starts_with("pip-")) wheel_ = at->path();
    }
    if (wheel_.empty()) GTEST_SKIP() << "Debian's python3-pip-whl is not installed";
    const auto python = FindPython("/", {}, folder_.path(), hooks_);
    if (!python) GTEST_SKIP() << python.error().message;
    python_ = *python;
  }

  Result<Resolved> Resolve(const std::vector<std::string>& requirements,
                           const std::vector<std::string>& kept = {}) {
    const fs::path scratch = TRY(MakeTempFolder(folder_.path(), "scratch-"));
    const Pip pip{.root = "/",
                  .python = python_,
                  .wheel = wheel_,
                  .cache = folder_ / "cache",
                  .scratch = scratch,
                  .environment = {"no_proxy=127.0.0.1", "PIP_RETRIES=0"},
                  .hooks = hooks_};
    return pip.Resolve(requirements, {index_.Option(), "--trusted-host 127.0.0.1"}, kept);
  }

  /// `name version` of each.
  template <class T>
  static std::vector<std::string> Names(const std::vector<T>& packages) {
    std::vector<std::string> names;
    for (const auto& package : packages) names.push_back(package.name + " " + package.version);
    return names;
  }
  void ExpectNotAsked(std::string_view part) {
    for (const std::string& target : index_.Asked()) {
      EXPECT_EQ(target.find(part), std::string::npos) << target;
    }
  }

  testing::TempDir folder_;
  Index index_;
  WorkHooks hooks_;
  fs::path wheel_;
  PythonPlace python_;
};

TEST_F(StandIns, NothingClosedIsFetchedWhoeverAsksForIt) {
  index_.Add("scorer", "2.0",
             {"azureml-core~=1.45.0", "onnxruntime>=1.18,<2", "azureml_train-core"});
  index_.Add("azureml-core", "1.45.0", {}, true);
  index_.Add("azureml-train-core", "1.45.0", {}, true);
  index_.Add("onnxruntime", "1.19.0", {}, true);
  index_.Add("numpy", "1.26.4", {});
  const auto resolved = Resolve({"scorer"});
  ASSERT_TRUE(resolved.has_value()) << resolved.error().message;
  EXPECT_THAT(Names(resolved->wheels), ElementsAre("numpy 1.26.4", "scorer 2.0"));
  EXPECT_THAT(Names(resolved->not_fetched),
              ElementsAre(HasSubstr("azureml-core 1.45."), "azureml-train-core 1.0.85",
                          "onnxruntime 1.20.1"));
  EXPECT_THAT(resolved->not_fetched[0].asked_by, ElementsAre("scorer"));
  ExpectNotAsked("azureml");
  ExpectNotAsked("onnxruntime");
}

TEST_F(StandIns, TheNewestOfThoseThatAskIsTaken) {
  index_.Add("asker", "1.0", {});
  index_.Add("asker", "3.0", {"azureml-core==1.60.0.post1"});
  index_.Add("other", "1.0", {"azureml-core>1.59,!=1.60.0", "asker"});
  const auto resolved = Resolve({"other"});
  ASSERT_TRUE(resolved.has_value()) << resolved.error().message;
  EXPECT_THAT(Names(resolved->wheels), ElementsAre("asker 3.0", "other 1.0"));
  EXPECT_THAT(Names(resolved->not_fetched), ElementsAre("azureml-core 1.60.0.post1"));
  EXPECT_THAT(resolved->not_fetched[0].asked_by, ElementsAre("asker", "other"));
}

TEST_F(StandIns, SpecifiersOfAllKindsAreMet) {
  const char* const specifiers[] = {">=1.0,<1.0.1", "~=1.4",    "<0.5",
                                    "===1.2.3",     ">2!1.0",   "==1.45.0.post2",
                                    ">=99",         "==1.0rc1", ">=1.2,<1.3,!=1.2"};
  int number = 0;
  for (const char* specifier : specifiers) {
    const std::string name = "asker" + std::to_string(number++);
    index_.Add(name, "1.0", {std::string("azureml-core") + specifier});
    const auto resolved = Resolve({name});
    ASSERT_TRUE(resolved.has_value()) << specifier << ": " << resolved.error().message;
    ASSERT_EQ(resolved->not_fetched.size(), 1U) << specifier;
    // pip itself has accepted the version; it must not have gone to the index for it.
    EXPECT_EQ(resolved->not_fetched[0].name, "azureml-core");
  }
  ExpectNotAsked("azureml");
}

TEST_F(StandIns, RequirementsThatExcludeEachOtherAreAConflict) {
  index_.Add("old", "1.0", {"azureml-core<1.0"});
  index_.Add("new", "1.0", {"azureml-core>=1.0"});
  const auto resolved = Resolve({"old", "new"});
  ASSERT_FALSE(resolved.has_value());
  EXPECT_EQ(resolved.error().id, "Image.Conflict") << resolved.error().message;
  EXPECT_THAT(resolved.error().message, HasSubstr("azureml-core<1.0"));
  ExpectNotAsked("azureml");
}

TEST_F(StandIns, WhatIsKeptIsFetched) {
  index_.Add("asker", "1.0", {"onnxruntime", "azureml-core[extra]"});
  index_.Add("onnxruntime", "1.19.0", {});
  const auto resolved = Resolve({"asker"}, {"ONNXRuntime"});
  ASSERT_TRUE(resolved.has_value()) << resolved.error().message;
  EXPECT_THAT(Names(resolved->wheels), ElementsAre("asker 1.0", "onnxruntime 1.19.0"));
  EXPECT_THAT(Names(resolved->not_fetched), ElementsAre("azureml-core 1.0.85"));
  ExpectNotAsked("azureml");
}

TEST_F(StandIns, OtherNamesAreLeftAlone) {
  index_.Add("azure-core", "1.0", {});
  index_.Add("onnxruntime-extensions", "0.9", {});
  const auto resolved = Resolve({"azure-core", "onnxruntime-extensions"});
  ASSERT_TRUE(resolved.has_value()) << resolved.error().message;
  EXPECT_THAT(Names(resolved->wheels), ElementsAre("azure-core 1.0", "onnxruntime-extensions 0.9"));
  EXPECT_THAT(resolved->not_fetched, IsEmpty());
}

TEST(StandInNames, TellModulesFromNothing) {
  EXPECT_EQ(StandInFor("AzureML_Core"), StandIn::kModule);
  EXPECT_EQ(StandInFor("onnxruntime-gpu"), StandIn::kModule);
  EXPECT_EQ(StandInFor("azureml.train"), StandIn::kNothing);
  EXPECT_EQ(StandInFor("azureml"), StandIn::kNone);
  EXPECT_EQ(StandInFor("numpy"), StandIn::kNone);
  EXPECT_TRUE(NeedsOfStandIn("azureml-core").empty());
  EXPECT_THAT(NeedsOfStandIn("onnxruntime"), ElementsAre("numpy"));
}

}  // namespace
}  // namespace slipway::imagebuilder
