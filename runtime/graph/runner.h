// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/graph/node_context.h"
#include "runtime/graph/plan.h"
#include "runtime/runtime.h"

namespace slipway::runtime {

/// Executes a graph: keeps its plans, and the runners of the graphs among its nodes'
/// attributes. Thread-safe.
class GraphRunner {
 public:
  struct Options {
    PassOptions passes = {};
    bool profile = false;
    /// Of its inputs no other shapes come: the graph is let go of once there is a plan, and for
    /// another one there is the error kPlanGone.
    bool fixed = false;
  };
  static constexpr std::string_view kPlanGone = "Plan.Gone";
  GraphRunner(const std::shared_ptr<const GraphData>& graph, std::shared_ptr<DeviceContext> device,
              const Options& options);

  const GraphData& graph() const { return *graph_; }

  /// `inputs`: the graph's inputs, then its captures. `outputs`, one for each output of the graph:
  /// those wanted are made; they may share memory with inputs and constants. Errors as
  /// Session::Run. `memory`, one item for each output or none at all: tensors in which outputs may
  /// be made.
  Result<void> RunInto(std::span<const Value> inputs, const std::vector<bool>& wanted,
                       std::span<const Value> memory, std::span<Value> outputs);
  /// The same for those wanted alone, in order.
  Result<std::vector<Value>> Run(std::span<const Value> inputs, const std::vector<bool>& wanted);

  /// The plan for inputs like these.
  Result<std::shared_ptr<const Plan>> PlanFor(std::span<const Value> inputs,
                                              const std::vector<bool>& wanted);

  /// Forgets the plans, with the memory that is kept for their next run.
  void DropIdle();

  /// Adds what nodes did to `profile`, subgraphs included.
  void AddProfile(std::vector<NodeProfile>& profile) const;

 private:
  struct Subgraph {
    const GraphData* graph = nullptr;
    std::unique_ptr<GraphRunner> runner;
    std::vector<ValueId> captured;  ///< values of this graph, one per capture
  };
  /// A plan, and the graphs of its nodes that the graph itself has not: those of branches that were
  /// put in their If's place.
  struct Planned {
    std::shared_ptr<const Plan> plan;
    std::vector<Subgraph> subgraphs;
  };
  class Links;

  void AddSubgraphs(const GraphData& graph, std::vector<Subgraph>& subgraphs) const;
  Result<std::shared_ptr<const Planned>> FindOrPlan(std::span<const Value> inputs,
                                                    const std::vector<bool>& wanted);
  Result<void> RunFrame(const Planned& planned, Frame& frame);
  void TakeOutputs(const Plan& plan, Frame& frame, std::span<const Value> memory,
                   std::span<Value> outputs) const;
  Result<void> RunStep(const Planned& planned, std::size_t index, Frame& frame);
  Result<void> RunLate(const Step& step, const OutputPlaces& places, NodeContext::Setup setup);
  void Record(const Step& step, const Kernel* kernel, std::chrono::steady_clock::time_point start);
  std::shared_ptr<const Planned> Find(std::span<const Value> inputs,
                                      const std::vector<bool>& wanted);

  std::shared_ptr<const GraphData> graph_;  ///< without its constants
  std::shared_ptr<GraphData> whole_;        ///< null once a plan was made where shapes are fixed
  std::shared_ptr<DeviceContext> device_;
  Options options_;
  std::vector<Subgraph> subgraphs_;                  ///< of all nodes
  std::timed_mutex planning_;                        // held while a plan is made; guards whole_
  mutable std::mutex mutex_;                         // guards plans_
  std::list<std::shared_ptr<const Planned>> plans_;  ///< most recently used first
  mutable std::mutex profile_mutex_;                 // guards profile_
  std::map<std::string, NodeProfile> profile_;       ///< by node
};

}  // namespace slipway::runtime
