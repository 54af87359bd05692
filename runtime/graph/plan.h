// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "runtime/graph/graph.h"
#include "runtime/graph/late_node.h"
#include "runtime/graph/memory_plan.h"
#include "runtime/graph/optimize.h"
#include "runtime/graph/output_places.h"
#include "runtime/graph/prepare.h"

namespace slipway::runtime {

/// Where a value's bytes are during a run.
enum class Place : std::uint8_t {
  kNone,      ///< the plan has no use for it
  kInput,     ///< given by the caller
  kConstant,  ///< known when planning
  kArena,     ///< in the frame's working memory
  kOwn,       ///< allocated for itself when its node runs: graph outputs, what may be shared
  kLate,      ///< made by its node, which alone knows its shape
};

struct PlannedValue {
  ValueFacts facts = {};
  Place place = Place::kNone;
  ValueId root = kNoValue;  ///< the value in whose bytes it lies: of a view, of a part; else itself
  std::int64_t shift = 0;   ///< bytes from where the root begins
  std::int64_t offset = 0;  ///< of a root, in the arena
};

/// One node of a plan that has something to do at run time.
struct Step {
  enum class Kind : std::uint8_t {
    kKernel,  ///< runs what `prepared` holds
    kView,    ///< output 0 is input 0 under its planned shape
    kLate,    ///< is inferred and prepared when its inputs are there
  };
  const NodeData* node = nullptr;
  std::size_t index = 0;  ///< of the node in its graph
  Kind kind = Kind::kKernel;
  PreparedNode prepared = {};
  std::unique_ptr<LateNode> late = nullptr;
  std::vector<ValueId> allocate = {};  ///< outputs to allocate before
  std::vector<ValueId> release = {};   ///< values to drop after
  std::int64_t scratch_offset = 0;
};

/// What a plan is for: the inputs' facts, and which outputs are wanted.
struct PlanKey {
  std::vector<ValueFacts> inputs;  ///< graph inputs, then captures
  std::vector<bool> wanted;
};

/// Working memory and values of one run; kept between runs, used by one at a time.
struct Frame {
  Tensor arena;
  std::vector<Value> values;
  OutputPlaces places;
  std::vector<std::vector<const Value*>> inputs;  ///< per step
  std::vector<std::vector<Value*>> outputs;       ///< per step
};

/// A graph made ready for given input shapes: kernels chosen, memory laid out. Immutable but for
/// its pool of frames; thread-safe.
class Plan {
 public:
  std::shared_ptr<const GraphData> graph;  ///< as rewritten for these shapes
  PlanKey key;
  std::deque<Tensor> constants;  ///< evaluated while planning
  std::vector<PlannedValue> values;
  std::vector<Step> steps;
  MemoryPlan memory;
  std::int64_t folded = 0;                      ///< nodes evaluated while planning
  std::map<std::string, std::int64_t> changes;  ///< per pass that ran while planning

  /// A frame for one run; hand it back with GiveBack.
  Result<std::unique_ptr<Frame>> TakeFrame() const;
  void GiveBack(std::unique_ptr<Frame> frame) const;
  /// Frees the frames that are kept, if they are large: other shapes are in use now.
  void DropLargeFrames() const;

 private:
  Result<std::unique_ptr<Frame>> MakeFrame() const;
  mutable std::mutex mutex_;  // guards frames_
  mutable std::vector<std::unique_ptr<Frame>> frames_;
};

/// Plans `graph` for `key`. Errors name the node. Constants that kernels have in forms of their own
/// are let go of on the way. With `only`, no other plan is made of the graph: all of them; else
/// those that can be had again, which `graph` only names from then on (StoredWeights).
Result<std::shared_ptr<const Plan>> MakePlan(std::shared_ptr<GraphData> graph, PlanKey key,
                                             const PassOptions& options, DeviceContext& device,
                                             bool only = false);

}  // namespace slipway::runtime
