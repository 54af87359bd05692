// SPDX-License-Identifier: Apache-2.0
#include "runtime/graph/overwritten_sums.h"

#include "runtime/graph/op_index.h"

namespace slipway::runtime {
namespace {

constexpr std::size_t kAdded = 3;

class Overwriter {
 public:
  explicit Overwriter(Plan& plan) : plan_(plan), last_(plan.values.size(), -1) {
    for (std::size_t s = 0; s < plan.steps.size(); ++s) {
      const NodeData& node = *plan.steps[s].node;
      for (const auto* ids : {&node.outputs, &node.inputs, &node.captures}) {
        for (const ValueId id : *ids) {
          if (id != kNoValue) LastOf(At(id).root) = static_cast<std::int64_t>(s);
        }
      }
    }
  }

  void Run() {
    for (std::size_t s = 0; s < plan_.steps.size(); ++s) {
      if (!MayOverwrite(plan_.steps[s], static_cast<std::int64_t>(s))) continue;
      const ValueId sum = plan_.steps[s].node->outputs[0];
      const ValueId added = At(plan_.steps[s].node->inputs[kAdded]).root;
      LastOf(added) = LastOf(sum);
      for (PlannedValue& value : plan_.values) {
        if (value.root == sum) value.root = added;
      }
      plan_.steps[s].prepared.facts.overwrites = kAdded;
    }
  }

 private:
  PlannedValue& At(ValueId id) { return plan_.values[static_cast<std::size_t>(id)]; }
  std::int64_t& LastOf(ValueId id) { return last_[static_cast<std::size_t>(id)]; }

  bool MayOverwrite(const Step& step, std::int64_t at) {
    const NodeData& node = *step.node;
    if (step.kind != Step::Kind::kKernel || node.domain != kPrivateDomain || node.type != "Conv" ||
        node.inputs.size() <= kAdded || node.inputs[kAdded] == kNoValue) {
      return false;
    }
    const ValueId sum = node.outputs[0], added = node.inputs[kAdded];
    const ValueId root = At(added).root;
    if (At(sum).place != Place::kArena || At(root).place != Place::kArena) return false;
    if (At(sum).root != sum || At(added).facts.shape != At(root).facts.shape) return false;
    return LastOf(root) == at && At(node.inputs[0]).root != root;
  }

  Plan& plan_;
  std::vector<std::int64_t> last_;  ///< step that touches a root
};

}  // namespace

void OverwriteSums(Plan& plan) { Overwriter(plan).Run(); }

}  // namespace slipway::runtime
