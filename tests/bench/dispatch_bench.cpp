// SPDX-License-Identifier: Apache-2.0
#include <benchmark/benchmark.h>

#include <memory>
#include <string>
#include <vector>

#include "runtime/run_into.h"
#include "tests/runtime/tiny_model.h"

namespace slipway::runtime {
namespace {

/// A chain of nodes that no pass joins, on one number.
std::unique_ptr<Session> Chain(std::int64_t nodes) {
  std::vector<tiny::Node> chain;
  for (std::int64_t i = 0; i < nodes; ++i) {
    const std::string from = i == 0 ? "x" : "v" + std::to_string(i);
    chain.push_back({i % 2 == 0 ? "Neg" : "Abs", {from}, {"v" + std::to_string(i + 1)}});
  }
  const std::string last = "v" + std::to_string(nodes);
  const std::string bytes =
      tiny::ModelOf(tiny::GraphOf(chain, {{"x", DType::kFloat32, {1}}}, {{last}}));
  const auto model = Model::Parse(std::as_bytes(std::span(bytes)));
  if (!model) return nullptr;
  auto session = Session::Create(*model);
  return session ? *std::move(session) : nullptr;
}

/// What a node costs beside its work: under 200 ns. The chain of one has the run's own cost.
void NodeOfAChain(benchmark::State& state) {
  const auto session = Chain(state.range(0));
  const auto feeds = session == nullptr ? Feeds() : *ZeroFeeds(session->model());
  auto outputs =
      session == nullptr ? Result<std::vector<Value>>(std::vector<Value>()) : session->Run(feeds);
  if (session == nullptr || !outputs) return state.SkipWithError("the chain does not run");
  for (auto _ : state) {
    if (!RunInto(*session, feeds, {}, *outputs)) return state.SkipWithError("a run failed");
  }
  state.counters["a_node"] = benchmark::Counter(
      static_cast<double>(state.range(0)),
      benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}
BENCHMARK(NodeOfAChain)->Arg(1)->Arg(1000);

}  // namespace
}  // namespace slipway::runtime
