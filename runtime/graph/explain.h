// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "runtime/graph/plan.h"

namespace slipway::runtime {

/// What a plan does, for people: passes, then per node the kernel and those passed over, then
/// memory.
std::string ExplainPlan(const Plan& plan, const std::map<std::string, std::int64_t>& changes);

/// Bytes one run of the plan allocates besides the wanted outputs, as far as shapes are known.
std::int64_t WorkingBytesOf(const Plan& plan);

/// Floating-point operations of one run in convolutions and matrix products, as far as shapes
/// are known.
std::int64_t FlopsOf(const Plan& plan);
/// Of one step that is prepared.
std::int64_t FlopsOf(const Step& step);
/// Of a node with such inputs and outputs.
std::int64_t FlopsOf(const NodeData& node, const NodeFacts& facts);

/// FlopsOf the plan of a session for such inputs. Errors as Session::Run.
Result<std::int64_t> SessionFlops(Session& session, const Feeds& feeds);

}  // namespace slipway::runtime
