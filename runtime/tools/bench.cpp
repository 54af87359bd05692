// SPDX-License-Identifier: Apache-2.0
#include "runtime/tools/bench.h"

#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <mutex>
#include <numeric>
#include <thread>

#include "runtime/device/device.h"
#include "runtime/graph/explain.h"
#include "runtime/graph/prepare.h"
#include "runtime/graph/signature.h"

namespace slipway::runtime {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kWarmUpRuns = 3;
constexpr std::size_t kMostSamples = 10'000'000;
constexpr std::int64_t kProbeSize = 512;
constexpr int kProbeRuns = 12;
constexpr double kOverheadMsPerNode = 0.002;

double MillisecondsSince(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

double PeakRssMb() {
  rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

/// Zeros, with `batch` for the first dimension where that is open and 1 for other open ones.
Result<Feeds> BatchFeeds(const Model& model, std::int64_t batch) {
  Feeds feeds;
  for (const ValueInfo& info : model.inputs()) {
    ValueInfo fixed = info;
    if (fixed.type.shape && !fixed.type.shape->empty() && fixed.type.shape->front() < 0) {
      fixed.type.shape->front() = batch;
    }
    Shape shape = fixed.type.shape.value_or(Shape{});
    for (std::int64_t& dim : shape) dim = std::max<std::int64_t>(dim, dim < 0 ? 1 : 0);
    if (info.type.kind != TypeInfo::Kind::kTensor) {
      return Error{.code = Code::kUnimplemented,
                   .message = "input '" + info.name + "' is no tensor: it cannot be measured"};
    }
    Tensor tensor = TRY(Tensor::Make(info.type.dtype, std::move(shape)));
    if (info.type.dtype != DType::kString) {
      std::memset(tensor.raw(), 0, static_cast<std::size_t>(tensor.bytes()));
    }
    feeds.emplace_back(info.name, Value(std::move(tensor)));
  }
  return feeds;
}

/// Runs until the time is over, in several threads; all their samples, or the first error.
Result<std::vector<double>> Measure(Session& session, const Feeds& feeds,
                                    const BenchOptions& options) {
  std::vector<double> samples;
  Result<void> outcome;
  std::mutex mutex;
  const auto end = Clock::now() + std::chrono::duration<double>(options.seconds);
  const auto client = [&] {
    std::vector<double> own;
    Result<void> failed;
    do {
      const auto start = Clock::now();
      auto outputs = session.Run(feeds);
      own.push_back(MillisecondsSince(start));
      if (!outputs) failed = std::move(outputs).error();
    } while (failed && Clock::now() < end && own.size() < kMostSamples);
    const std::lock_guard lock(mutex);
    samples.insert(samples.end(), own.begin(), own.end());
    if (!failed) outcome = std::move(failed);
  };
  std::vector<std::thread> threads;
  for (int i = 1; i < options.clients; ++i) threads.emplace_back(client);
  client();
  for (std::thread& thread : threads) thread.join();
  if (!outcome) return std::move(outcome).error();
  std::ranges::sort(samples);
  return samples;
}

double Percentile(const std::vector<double>& sorted, double share) {
  const auto last = static_cast<double>(sorted.size() - 1);
  return sorted[static_cast<std::size_t>(std::lround(last * share))];
}

/// GFLOP/s of a large matrix product with these threads.
Result<double> PeakRate(const SessionOptions& options) {
  auto device = TRY(MakeDeviceContext(options.device, options.threads));
  const ThreadScope threads(device->threads());
  NodeData node{.name = "probe", .type = "MatMul", .opset = 13};
  node.op = FindOp("", "MatMul", node.opset);
  if (node.op == nullptr) return 0.0;
  node.schema = std::make_shared<const Schema>(TRY(ParseSchema(*node.op)));
  node.inputs = {0, 1};
  node.outputs = {2};
  Tensor a = TRY(Tensor::Make(DType::kFloat32, {kProbeSize, kProbeSize}));
  std::ranges::fill(a.data<float>(), 0.5F);
  const Tensor b = TRY(a.Clone());
  double best = 0;
  for (int i = 0; i < kProbeRuns; ++i) {
    const auto start = Clock::now();
    TRY(EvaluateNode(node, {&a, &b}, {.device = options.device}, *device));
    const auto flops = 2.0 * static_cast<double>(kProbeSize * kProbeSize * kProbeSize);
    best = std::max(best, flops / MillisecondsSince(start) / 1e6);
  }
  return best;
}

std::string BoundOf(const BenchReport& report, std::int64_t nodes) {
  if (report.gflop_per_s >= 0.5 * report.peak_gflop_per_s) return "compute";
  const double overhead = kOverheadMsPerNode * static_cast<double>(nodes);
  return overhead >= 0.5 * report.median_ms ? "overhead" : "memory";
}

}  // namespace

Result<BenchReport> BenchModel(const std::filesystem::path& path, const BenchOptions& options) {
  BenchReport report;
  const auto start = Clock::now();
  const Model model = TRY(Model::Load(path));
  auto tuned = TRY(OpenTuned(model, path, options.session, options.tune));
  report.warning = std::move(tuned.warning);
  auto& session = tuned.session;
  const Feeds feeds = TRY(BatchFeeds(model, options.batch));
  TRY(session->Run(feeds));
  report.create_ms = MillisecondsSince(start);
  if (const auto kept = tuned.Save(); !kept) report.warning = kept.error().message;
  for (int i = 0; i < kWarmUpRuns; ++i) TRY(session->Run(feeds));
  const auto began = Clock::now();
  const auto samples = TRY(Measure(*session, feeds, options));
  const double elapsed = MillisecondsSince(began);
  report.runs = static_cast<std::int64_t>(samples.size());
  report.median_ms = Percentile(samples, 0.5);
  report.p99_ms = Percentile(samples, 0.99);
  report.min_ms = samples.front();
  report.mean_ms =
      std::accumulate(samples.begin(), samples.end(), 0.0) / static_cast<double>(samples.size());
  report.runs_per_s = static_cast<double>(samples.size()) / elapsed * 1e3;
  report.peak_rss_mb = PeakRssMb();
  report.flops = TRY(SessionFlops(*session, feeds));
  report.gflop_per_s = static_cast<double>(report.flops) / report.median_ms / 1e6;
  report.peak_gflop_per_s = TRY(PeakRate(options.session));
  if (options.session.profile) report.profile = session->Profile();
  report.bound = BoundOf(report, model.info().nodes);
  return report;
}

}  // namespace slipway::runtime
