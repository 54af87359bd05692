// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/context.h"
#include "runtime/tools/bench.h"

namespace slipway::cli {
namespace {

struct Arguments {
  std::string file;
  SessionArguments session;
  runtime::BenchOptions bench;
  bool profile = false;
};

Json ToJson(const std::string& file, const runtime::BenchReport& report) {
  Json json{{"file", file},
            {"median_ms", report.median_ms},
            {"p99_ms", report.p99_ms},
            {"min_ms", report.min_ms},
            {"mean_ms", report.mean_ms},
            {"create_ms", report.create_ms},
            {"runs", report.runs},
            {"runs_per_s", report.runs_per_s},
            {"peak_rss_mb", report.peak_rss_mb},
            {"gflop_per_s", report.gflop_per_s},
            {"peak_gflop_per_s", report.peak_gflop_per_s},
            {"bound", report.bound}};
  json["flops"] = report.flops < 0 ? Json() : Json(report.flops);
  for (const runtime::NodeProfile& node : report.profile) {
    json["profile"].push_back({{"node", node.node},
                               {"op_type", node.op_type},
                               {"kernel", node.kernel},
                               {"runs", node.runs},
                               {"total_ms", node.total_ms}});
  }
  return json;
}

Result<void> Bench(Context& context, const Arguments& arguments) {
  runtime::BenchOptions options = arguments.bench;
  options.session = TRY(ReadSession(arguments.session));
  options.session.profile = arguments.profile;
  const auto report = TRY(runtime::BenchModel(context.folder() / arguments.file, options));
  if (context.globals.output.empty() && !context.out_is_terminal()) context.globals.output = "json";
  const Json json = ToJson(arguments.file, report);
  TRY(context.PrintObject(json, {{"median ms", "median_ms"},
                                 {"p99 ms", "p99_ms"},
                                 {"min ms", "min_ms"},
                                 {"create ms", "create_ms"},
                                 {"runs per s", "runs_per_s"},
                                 {"peak RSS MB", "peak_rss_mb"},
                                 {"operations", "flops"},
                                 {"GFLOP/s", "gflop_per_s"},
                                 {"bound by", "bound"}}));
  if (!json.contains("profile") || TRY(context.format()) != Format::kTable) return {};
  TRY(context.Print("\n"));
  return context.PrintList(json["profile"], {{"NODE", "node"},
                                             {"OPERATOR", "op_type"},
                                             {"KERNEL", "kernel"},
                                             {"RUNS", "runs"},
                                             {"TOTAL MS", "total_ms"}});
}

Body Bind(Options& options) {
  auto arguments = std::make_shared<Arguments>();
  options.add_option("FILE", arguments->file, "An .onnx file").required();
  AddSessionOptions(options, arguments->session);
  options.add_option("--batch", arguments->bench.batch, "Value of a free first dimension")
      .within(std::int64_t{1}, std::int64_t{1} << 31)
      .capture_default_str();
  options.add_option("--seconds", arguments->bench.seconds, "How long to measure")
      .within(0.01, 86'400.0)
      .capture_default_str();
  options.add_option("--clients", arguments->bench.clients, "Runs at the same time")
      .within(1, 4096)
      .capture_default_str();
  options.add_flag("--profile", arguments->profile, "Also the time each node takes");
  return [arguments](Context& context) { return Bench(context, *arguments); };
}

}  // namespace

Command commands_model_bench() {
  return {.path = "model bench",
          .summary = "Measure latency and throughput of a model file",
          .example = "slipway model bench resnet18.onnx --threads 4 --seconds 5",
          .bind = Bind};
}

}  // namespace slipway::cli
