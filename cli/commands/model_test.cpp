// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <thread>

#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/context.h"
#include "cli/isolated.h"
#include "runtime/tools/test_folder.h"

namespace slipway::cli {
namespace {

namespace fs = std::filesystem;

struct Arguments {
  std::vector<std::string> folders;
  double rtol = runtime::TestOptions{}.rtol, atol = runtime::TestOptions{}.atol;
  double timeout_seconds = 600;
  int jobs = 0;
  SessionArguments session;
};

struct Counts {
  int passed = 0, failed = 0, unsupported = 0;
};

Result<std::vector<fs::path>> FindAll(const Context& context,
                                      const std::vector<std::string>& folders) {
  std::vector<fs::path> all;
  for (const std::string& folder : folders) {
    const fs::path top = (context.folder() / folder).lexically_normal();
    const auto found = TRY(runtime::FindTestFolders(top));
    all.insert(all.end(), found.begin(), found.end());
  }
  return all;
}

Json ToJson(const runtime::TestReport& report) {
  return Json{{"outcome", std::string(runtime::TestOutcomeName(report.outcome))},
              {"why", report.why},
              {"data_sets", report.data_sets},
              {"max_error", std::isfinite(report.max_error) ? Json(report.max_error) : Json()}};
}

/// The report of a folder; a crash is an error of that folder.
Json ReadReport(const Result<std::string>& text) {
  if (!text) return Json{{"outcome", "error"}, {"why", text.error().message}};
  const auto json = ParseJson(*text);
  return json ? *json : Json{{"outcome", "error"}, {"why", json.error().message}};
}

std::string ShownPath(const Context& context, const fs::path& folder) {
  const fs::path relative = folder.lexically_relative(context.folder());
  return relative.empty() || *relative.begin() == ".." ? folder.string() : relative.string();
}

Result<void> Test(Context& context, const Arguments& arguments) {
  const auto folders = TRY(FindAll(context, arguments.folders));
  const int cores = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  const int jobs = arguments.jobs > 0 ? arguments.jobs : cores;
  runtime::TestOptions options{.rtol = arguments.rtol, .atol = arguments.atol};
  options.session = TRY(ReadSession(arguments.session));
  options.tune = TRY(ReadTuning(arguments.session, context.folder()));
  if (options.session.threads == 0) options.session.threads = std::max(1, cores / jobs);

  Counts counts;
  Json items = Json::array();
  const bool table = TRY(context.format()) == Format::kTable;
  const auto work = [&](std::size_t i) {
    return DumpJson(ToJson(runtime::RunTestFolder(folders[i], options)));
  };
  const auto done = [&](std::size_t i, const Result<std::string>& text) -> Result<void> {
    Json report = ReadReport(text);
    const std::string outcome = report.value("outcome", "error");
    const std::string why = report.value("why", "");
    ++(outcome == "pass"          ? counts.passed
       : outcome == "unsupported" ? counts.unsupported
                                  : counts.failed);
    report["folder"] = ShownPath(context, folders[i]);
    items.push_back(report);
    if (!table) return {};
    return context.Print(
        Printable(fmt::format("{:<12} {}{}{}", outcome, ShownPath(context, folders[i]),
                              why.empty() ? "" : ": ", why)) +
        "\n");
  };
  const auto timeout =
      std::chrono::milliseconds(static_cast<std::int64_t>(arguments.timeout_seconds * 1000));
  TRY(RunIsolated(folders.size(), {.jobs = jobs, .timeout = timeout}, work, done));

  if (table) {
    TRY(context.Print(fmt::format("{} passed, {} failed, {} unsupported\n", counts.passed,
                                  counts.failed, counts.unsupported)));
  } else {
    TRY(context.PrintObject(Json{{"folders", items},
                                 {"passed", counts.passed},
                                 {"failed", counts.failed},
                                 {"unsupported", counts.unsupported}},
                            {}));
  }
  if (counts.failed + counts.unsupported == 0) return {};
  return Error{.code = Code::kInternal,
               .message = fmt::format("{} of {} folders did not pass",
                                      counts.failed + counts.unsupported, folders.size()),
               .id = "Test.Failed"};
}

Body Bind(Options& options) {
  auto arguments = std::make_shared<Arguments>();
  options
      .add_option("DIR", arguments->folders,
                  "Folder with model.onnx and test_data_set_N/, or a folder of such folders")
      .required();
  options.add_option("--rtol", arguments->rtol, "Relative tolerance").capture_default_str();
  options.add_option("--atol", arguments->atol, "Absolute tolerance").capture_default_str();
  options.add_option("--jobs", arguments->jobs, "Folders at the same time; 0: one a core")
      .within(0, 4096);
  options.add_option("--timeout", arguments->timeout_seconds, "For one folder")
      .type_name("SECONDS")
      .within(0.1, 86'400.0)
      .capture_default_str();
  AddSessionOptions(options, arguments->session);
  return [arguments](Context& context) { return Test(context, *arguments); };
}

}  // namespace

Command commands_model_test() {
  return {.path = "model test",
          .summary = "Run test folders: a model, its inputs and the outputs it should give",
          .example = "slipway model test conformance/ --jobs 4",
          .bind = Bind};
}

}  // namespace slipway::cli
