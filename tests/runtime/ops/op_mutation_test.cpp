// SPDX-License-Identifier: Apache-2.0
/// The problems of tests/ops/{ml,microsoft}.cases with attributes and inputs changed at random:
/// each ends in outputs or in one error, whatever a model asks for.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <limits>
#include <memory>
#include <random>

#include "runtime/device/device.h"
#include "runtime/graph/signature.h"
#include "runtime/kernels/infer_helpers.h"
#include "tests/support/op_case.h"
#include "tests/support/op_context.h"

namespace slipway::test {
namespace {

using runtime::Attribute;
using runtime::DType;
using runtime::Kernel;
using runtime::NodeFacts;
using runtime::Shape;
using runtime::Tensor;
using runtime::Value;

constexpr std::int64_t kMostElements = 1 << 16;

class Mutator {
 public:
  explicit Mutator(std::uint32_t seed) : random_(seed) {}

  void Change(OpCase& problem) {
    for (std::uint32_t changes = 1 + Below(2); changes > 0; --changes) {
      if (Below(2) == 0) {
        ChangeAttribute(problem.node);
      } else {
        ChangeInput(problem);
      }
    }
  }

 private:
  std::uint32_t Below(std::size_t bound) {
    return static_cast<std::uint32_t>(random_() % std::max<std::size_t>(1, bound));
  }

  std::int64_t OddInt(std::int64_t from) {
    const std::int64_t old = from % (std::int64_t{1} << 32);
    const std::int64_t odd[] = {-1,
                                0,
                                1,
                                2,
                                3,
                                7,
                                old + 1,
                                old - 1,
                                old * 2,
                                std::int64_t{1} << 31,
                                std::int64_t{1} << 40,
                                std::numeric_limits<std::int64_t>::max(),
                                std::numeric_limits<std::int64_t>::min()};
    return odd[Below(std::size(odd))];
  }

  float OddFloat() {
    constexpr float kInf = std::numeric_limits<float>::infinity();
    const float odd[] = {0, -1, kInf, -kInf, std::numeric_limits<float>::quiet_NaN(), 3e38F};
    return odd[Below(std::size(odd))];
  }

  template <class T, class Odd>
  void ChangeList(std::vector<T>& list, const Odd& odd) {
    const std::uint32_t how = Below(4);
    if (how == 0 || list.empty()) {
      list.push_back(odd());
    } else if (how == 1) {
      list.pop_back();
    } else {
      list[Below(list.size())] = odd();
    }
  }

  void ChangeAttribute(NodeFacts& node) {
    std::vector<std::string> names;
    for (const auto& [name, value] : node.attributes) names.push_back(name);
    if (names.empty()) return;
    const std::string name = names[Below(names.size())];
    Attribute value = *node.attributes.Find(name);
    if (auto* number = std::get_if<std::int64_t>(&value)) *number = OddInt(*number);
    if (auto* number = std::get_if<float>(&value)) *number = OddFloat();
    if (auto* text = std::get_if<std::string>(&value)) *text = Below(2) == 0 ? "" : "NONSENSE";
    if (auto* ints = std::get_if<std::vector<std::int64_t>>(&value)) {
      const std::int64_t old = ints->empty() ? 0 : ints->back();
      ChangeList(*ints, [&] { return OddInt(old); });
    }
    if (auto* floats = std::get_if<std::vector<float>>(&value)) {
      ChangeList(*floats, [&] { return OddFloat(); });
    }
    if (auto* texts = std::get_if<std::vector<std::string>>(&value)) {
      ChangeList(*texts, [&] { return std::string("BRANCH_GT"); });
    }
    if (auto* tensor = std::get_if<Tensor>(&value)) *tensor = RandomTensor(tensor->dtype(), {3});
    node.attributes.Set(name, std::move(value));
  }

  Tensor RandomTensor(DType dtype, const Shape& shape) {
    Tensor tensor = *Tensor::Make(dtype, shape);
    if (dtype == DType::kString) return tensor;
    auto* bytes = static_cast<std::uint8_t*>(tensor.raw());
    const bool small = Below(2) == 0;
    for (std::int64_t i = 0; i < tensor.bytes(); ++i) {
      bytes[i] = static_cast<std::uint8_t>(small ? Below(3) : Below(256));
    }
    if (dtype == DType::kBool) {
      for (std::int64_t i = 0; i < tensor.bytes(); ++i) bytes[i] &= 1U;
    }
    return tensor;
  }

  void ChangeInput(OpCase& problem) {
    const std::size_t input = Below(problem.inputs.size());
    if (!problem.node.Has(input)) return;
    Shape shape = problem.inputs[input].shape();
    const std::uint32_t how = Below(5);
    if (how == 0) shape.push_back(Below(3));
    if (how == 1 && !shape.empty()) shape.pop_back();
    if (how >= 2 && !shape.empty()) shape[Below(shape.size())] = Below(4) == 0 ? 0 : 1 + Below(6);
    const DType dtype = problem.inputs[input].dtype();
    problem.inputs[input] = RandomTensor(dtype, shape);
    problem.node.inputs[input] = runtime::TensorFacts(dtype, shape);
  }

  std::mt19937 random_;
};

Result<void> Infer(NodeFacts& node) {
  node.outputs = TRY(node.op->infer(node));
  for (const runtime::ValueFacts& output : node.outputs) {
    if (output.shape && TRY(runtime::ElementCount(*output.shape)) > kMostElements) {
      return Error{.code = Code::kResourceExhausted, .message = "more than the test wants"};
    }
  }
  return {};
}

void RunAll(const OpCase& problem, runtime::DeviceContext& device) {
  for (const bool constants : {false, true}) {
    NodeFacts node = problem.node;
    for (std::size_t i = 0; constants && i < node.inputs.size(); ++i) {
      if (node.Has(i)) node.inputs[i].constant = &problem.inputs[i];
    }
    if (!Infer(node)) continue;
    for (const Kernel& kernel : node.op->kernels) {
      if (kernel.declines != nullptr && !kernel.declines(node).empty()) continue;
      std::unique_ptr<runtime::Executable> executable;
      if (kernel.prepare != nullptr) {
        auto prepared = kernel.prepare(node, device);
        if (!prepared) continue;
        executable = *std::move(prepared);
      }
      std::vector<Value> inputs;
      for (std::size_t i = 0; i < problem.inputs.size(); ++i) {
        inputs.push_back(node.Has(i) ? Value(problem.inputs[i]) : Value());
      }
      OpContext context(std::move(inputs), 1);
      ASSERT_TRUE(context.Open(node, executable ? executable->scratch_bytes() : 0));
      const auto done = executable ? executable->Run(context) : kernel.run(node, context);
      EXPECT_TRUE(done || !done.error().message.empty());
    }
  }
}

TEST(OpMutation, EndsInOutputsOrAnError) {
  auto device = runtime::MakeDeviceContext(runtime::Device::kCpu, 2);
  ASSERT_TRUE(device) << device.error().message;
  for (const std::string_view name : {"ml", "microsoft"}) {
    const auto cases = ReadOpCases(std::filesystem::path(SLIPWAY_SOURCE_DIR) / "tests/ops" /
                                   fmt::format("{}.cases", name));
    ASSERT_TRUE(cases) << cases.error().message;
    for (const OpCase& problem : *cases) {
      for (std::uint32_t seed = 0; seed < 150; ++seed) {
        SCOPED_TRACE(
            fmt::format("{}.cases:{} seed {}: {}", name, problem.line, seed, problem.text));
        OpCase changed = problem;
        Mutator(seed * 1000 + static_cast<std::uint32_t>(problem.line)).Change(changed);
        RunAll(changed, **device);
      }
    }
  }
}

}  // namespace
}  // namespace slipway::test
