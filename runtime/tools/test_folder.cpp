// SPDX-License-Identifier: Apache-2.0
#include "runtime/tools/test_folder.h"

#include <fmt/format.h>

#include <algorithm>
#include <system_error>

#include "runtime/tools/tensor_file.h"

namespace slipway::runtime {
namespace {

namespace fs = std::filesystem;

TestReport Failed(const Error& error) {
  TestReport report;
  report.outcome =
      error.code == Code::kUnimplemented ? TestOutcome::kUnsupported : TestOutcome::kError;
  report.why = error.message;
  return report;
}

/// `model.onnx`, or the only .onnx file of the folder.
fs::path ModelIn(const fs::path& folder) {
  std::error_code error;
  if (fs::is_regular_file(folder / "model.onnx", error)) return folder / "model.onnx";
  std::vector<fs::path> models;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    if (entry.path().extension() == ".onnx") models.push_back(entry.path());
  }
  return models.size() == 1 ? models.front() : fs::path();
}

/// Sorted by number, so that set 10 follows set 9.
std::vector<fs::path> DataSets(const fs::path& folder) {
  std::vector<fs::path> sets;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    if (entry.path().filename().string().starts_with("test_data_set_")) {
      sets.push_back(entry.path());
    }
  }
  std::ranges::sort(sets, [](const fs::path& a, const fs::path& b) {
    const std::string x = a.filename().string(), y = b.filename().string();
    return std::make_pair(x.size(), x) < std::make_pair(y.size(), y);
  });
  return sets;
}

/// `input_0.pb`, `input_1.pb`, ... as `infos` say; files that are not there end the list.
Result<std::vector<Value>> ReadValues(const fs::path& set, std::string_view stem,
                                      std::span<const ValueInfo> infos) {
  std::vector<Value> values;
  std::error_code error;
  for (std::size_t i = 0;; ++i) {
    const fs::path path = set / fmt::format("{}_{}.pb", stem, i);
    if (!fs::exists(path, error)) break;
    if (i >= infos.size()) {
      return Error{.code = Code::kInvalidArgument,
                   .message = fmt::format("{}: the model has {} {}s only", path.string(),
                                          infos.size(), stem)};
    }
    values.push_back(TRY(ReadTensorFile(path, infos[i].type)));
  }
  return values;
}

Result<void> RunDataSet(Session& session, const fs::path& set, const TestOptions& options,
                        TestReport& report) {
  const Model& model = session.model();
  auto inputs = TRY(ReadValues(set, "input", model.inputs()));
  const auto expected = TRY(ReadValues(set, "output", model.outputs()));
  if (expected.empty()) {
    return Error{.code = Code::kNotFound,
                 .message = fmt::format("{} has no output_0.pb", set.string())};
  }
  Feeds feeds;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    feeds.emplace_back(model.inputs()[i].name, std::move(inputs[i]));
  }
  const auto actual = TRY(session.Run(feeds));
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const std::string difference =
        CompareValues(expected[i], actual[i], options.rtol, options.atol, report.max_error);
    if (difference.empty()) continue;
    report.outcome = TestOutcome::kFail;
    report.why = fmt::format("{}: output '{}' {}", set.filename().string(), model.outputs()[i].name,
                             difference);
    return {};
  }
  ++report.data_sets;
  return {};
}

}  // namespace

std::string_view TestOutcomeName(TestOutcome outcome) {
  switch (outcome) {
    case TestOutcome::kPass:
      return "pass";
    case TestOutcome::kFail:
      return "fail";
    case TestOutcome::kUnsupported:
      return "unsupported";
    case TestOutcome::kError:
      return "error";
  }
  return "unknown";
}

TestReport RunTestFolder(const fs::path& folder, const TestOptions& options) {
  const fs::path path = ModelIn(folder);
  if (path.empty()) {
    return Failed({.code = Code::kNotFound,
                   .message = fmt::format("{} holds no model.onnx", folder.string())});
  }
  const auto sets = DataSets(folder);
  if (sets.empty()) {
    return Failed({.code = Code::kNotFound,
                   .message = fmt::format("{} holds no test_data_set_N", folder.string())});
  }
  auto model = Model::Load(path);
  if (!model) return Failed(model.error());
  auto tuned = OpenTuned(*model, path, options.session, options.tune);
  if (!tuned) return Failed(tuned.error());
  TestReport report{.outcome = TestOutcome::kPass, .why = ""};
  for (const fs::path& set : sets) {
    auto done = RunDataSet(*tuned->session, set, options, report);
    if (!done) return Failed(done.error());
    if (report.outcome != TestOutcome::kPass) break;
  }
  return report;
}

Result<std::vector<fs::path>> FindTestFolders(const fs::path& path) {
  std::error_code error;
  if (!fs::is_directory(path, error)) {
    return Error{.code = Code::kNotFound,
                 .message = fmt::format("{} is no folder", path.string()),
                 .id = "Test.NotFound"};
  }
  if (!ModelIn(path).empty()) return std::vector<fs::path>{path};
  std::vector<fs::path> folders;
  for (const auto& entry : fs::directory_iterator(path, error)) {
    if (entry.is_directory(error) && !ModelIn(entry.path()).empty()) {
      folders.push_back(entry.path());
    }
  }
  if (folders.empty()) {
    return Error{.code = Code::kNotFound,
                 .message = fmt::format("{}: neither it nor a folder in it holds a model.onnx",
                                        path.string()),
                 .id = "Test.NotFound"};
  }
  std::ranges::sort(folders);
  return folders;
}

}  // namespace slipway::runtime
