// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/json.h"
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
  std::string trace;
};

double Percent(double part, double whole) {
  return whole > 0 ? std::round(1000 * part / whole) / 10 : 0;
}

/// To a tenth of a microsecond.
double Rounded(double milliseconds) { return std::round(milliseconds * 1e4) / 1e4; }

/// A node's mean and quickest run; its rate, where its operations are known, in the quickest.
Json NodeJson(const runtime::NodeProfile& node, const runtime::BenchReport& report, double all_ms) {
  const auto runs = static_cast<double>(std::max<std::int64_t>(1, node.runs));
  Json json{{"node", node.node},
            {"op_type", node.op_type},
            {"kernel", node.kernel},
            {"runs", node.runs},
            {"total_ms", node.total_ms},
            {"mean_ms", Rounded(node.total_ms / runs)},
            {"best_ms", Rounded(node.best_ms)},
            {"percent", Percent(node.total_ms, all_ms)}};
  if (node.flops > 0 && node.best_ms > 0) {
    const double rate = static_cast<double>(node.flops) / node.best_ms / 1e6;
    json["gflop_per_s"] = std::round(rate * 10) / 10;
    json["percent_of_peak"] = Percent(rate, report.peak_gflop_per_s);
  }
  return json;
}

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
  double all_ms = 0;
  for (const runtime::NodeProfile& node : report.profile) all_ms += node.total_ms;
  for (const runtime::NodeProfile& node : report.profile) {
    json["profile"].push_back(NodeJson(node, report, all_ms));
  }
  return json;
}

/// The last run of each node as a trace that chrome://tracing and Perfetto show.
std::string TraceOf(const std::vector<runtime::NodeProfile>& profile) {
  double begin = std::numeric_limits<double>::infinity();
  for (const auto& node : profile) begin = std::min(begin, node.last_start_ms);
  Json events = Json::array();
  for (const auto& node : profile) {
    Json arguments{{"kernel", node.kernel}, {"runs", node.runs}, {"best_ms", node.best_ms}};
    if (node.flops > 0) arguments["flops"] = node.flops;
    events.push_back({{"name", node.node},
                      {"cat", node.op_type},
                      {"ph", "X"},
                      {"ts", (node.last_start_ms - begin) * 1e3},
                      {"dur", node.last_ms * 1e3},
                      {"pid", 1},
                      {"tid", 1},
                      {"args", std::move(arguments)}});
  }
  return DumpJson(Json{{"traceEvents", std::move(events)}, {"displayTimeUnit", "ms"}}) + "\n";
}

Result<void> Bench(Context& context, const Arguments& arguments) {
  runtime::BenchOptions options = arguments.bench;
  options.session = TRY(ReadSession(arguments.session));
  options.tune = TRY(ReadTuning(arguments.session, context.folder()));
  options.session.profile = arguments.profile || !arguments.trace.empty();
  const auto report = TRY(runtime::BenchModel(context.folder() / arguments.file, options));
  if (!arguments.trace.empty()) {
    TRY(WriteFileAtomic(context.folder() / arguments.trace, TraceOf(report.profile)));
  }
  if (!report.warning.empty()) context.Progress("warning: " + report.warning);
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
                                 {"peak GFLOP/s", "peak_gflop_per_s"},
                                 {"bound by", "bound"}}));
  if (!json.contains("profile") || TRY(context.format()) != Format::kTable) return {};
  TRY(context.Print("\n"));
  return context.PrintList(json["profile"], {{"NODE", "node"},
                                             {"OPERATOR", "op_type"},
                                             {"KERNEL", "kernel"},
                                             {"RUNS", "runs"},
                                             {"MEAN MS", "mean_ms"},
                                             {"BEST MS", "best_ms"},
                                             {"% OF RUN", "percent"},
                                             {"GFLOP/S", "gflop_per_s"},
                                             {"% OF PEAK", "percent_of_peak"}});
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
  options.add_flag("--profile", arguments->profile,
                   "Also what each node takes, its rate and its share of the machine's peak");
  options
      .add_option("--trace", arguments->trace,
                  "Also write the last run as a trace that chrome://tracing shows")
      .type_name("FILE");
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
