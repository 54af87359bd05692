// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <vector>

#include "runtime/op.h"

namespace slipway::runtime {

/// Runs the graphs among a node's attributes.
class SubgraphRunner {
 public:
  virtual ~SubgraphRunner() = default;
  virtual Result<std::vector<Value>> RunSubgraph(const GraphData& graph,
                                                 std::vector<Value> inputs) = 0;
};

/// The context of one node's run: pointers to where its values are. An absent input is null.
class NodeContext final : public KernelContext {
 public:
  struct Setup {
    std::span<const Value* const> inputs;
    std::span<Value* const> outputs;
    std::span<std::byte> scratch = {};
    int threads = 1;
    SubgraphRunner* subgraphs = nullptr;
    const void* arena = nullptr;  ///< memory that values must not be shared from
    std::size_t arena_bytes = 0;
  };
  explicit NodeContext(const Setup& setup) : setup_(setup) {}

  const Tensor* input(std::size_t index) override;
  const Value& input_value(std::size_t index) override;
  std::size_t inputs() const override { return setup_.inputs.size(); }
  Tensor& output(std::size_t index) override;
  Result<Tensor*> Allocate(std::size_t index, DType dtype, Shape shape) override;
  void Set(std::size_t index, Value value) override;
  std::span<std::byte> scratch() override { return setup_.scratch; }
  void ParallelFor(std::int64_t count, std::int64_t grain, const RangeBody& body) override;
  int threads() const override { return setup_.threads; }
  Result<std::vector<Value>> RunGraph(const GraphData& graph, std::vector<Value> inputs) override;
  /// The error of a Set that could not copy, of a body without memory, or of a run that is to
  /// end, if any.
  Result<void> TakeError();

 private:
  bool InArena(const Tensor& tensor) const;
  Result<void> Fill(Tensor& planned, const Value& value) const;
  void RunPieces(std::int64_t count, std::int64_t pieces, std::int64_t grain,
                 const RangeBody& body);

  Setup setup_;
  Value unwanted_;
  Result<void> failed_;
};

}  // namespace slipway::runtime
