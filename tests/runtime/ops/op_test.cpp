// SPDX-License-Identifier: Apache-2.0
// Every problem in tests/ops/*.cases on every kernel of its operator's ladder.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <memory>

#include "runtime/device/device.h"
#include "runtime/kernels/dispatch.h"
#include "runtime/tools/test_folder.h"
#include "tests/support/op_case.h"
#include "tests/support/op_context.h"

namespace slipway::test {
namespace {

using runtime::DType;
using runtime::Kernel;
using runtime::NodeFacts;
using runtime::Shape;
using runtime::Tensor;
using runtime::Value;

/// How many products or terms a float of output 0 sums up; 0 for operators that sum nothing.
std::int64_t AccumulationLength(const OpCase& problem) {
  const NodeFacts& node = problem.node;
  const std::string_view type = node.op->type;
  const auto product = [](const auto& list) {
    std::int64_t count = 1;
    for (const std::int64_t x : list) count *= x;
    return count;
  };
  if (type == "Conv" || type == "ConvTranspose" || type == "FusedConv") {
    return product(node.shape(1)) / std::max<std::int64_t>(1, node.shape(1)[0]) + 2;
  }
  if (type.ends_with("MatMul") || type.ends_with("Gemm") || type == "MatMulNBits" ||
      type == "MatMulBnb4" || type == "MatMulIntegerToFloat" || type == "QAttention" ||
      type == "MultiHeadAttention" || type == "GroupQueryAttention" ||
      (type == "Attention" && node.op->domain == "com.microsoft")) {
    return product(node.shape(0)) + 2;
  }
  if (type == "Attention") return node.shape(0).back() + 16;
  if (type.ends_with("Pool")) return product(node.attributes.Ints("kernel_shape", {}));
  if (type == "RNN" || type == "GRU" || type == "LSTM") {
    const std::int64_t steps = node.shape(0)[node.attributes.Int("layout", 0) == 0 ? 0 : 1];
    return steps * (node.shape(1)[2] + node.shape(2)[2]);
  }
  if (type == "Resize") return 4;
  if (type == "LRN") return node.attributes.Int("size", 1) + 8;
  if (type.ends_with("Gelu")) return 2;
  if (type.ends_with("oftmax")) return product(node.shape(0)) + 16;
  return 0;
}

struct Tolerance {
  double relative = 0, absolute = 0;
};

double Epsilon(DType dtype) {
  if (dtype == DType::kFloat16) return 0x1p-10;
  if (dtype == DType::kBfloat16) return 0x1p-7;
  return dtype == DType::kFloat64 ? 0x1p-52 : 0x1p-23;
}

/// Inputs lie within [-2, 2), so that a product is at most 4.
Tolerance ToleranceOf(const OpCase& problem, DType dtype) {
  constexpr double kFunctionUlps = 16;
  const double epsilon = Epsilon(dtype);
  const auto terms = static_cast<double>(AccumulationLength(problem));
  const double single = std::max(epsilon, Epsilon(DType::kFloat32));
  return {kFunctionUlps * epsilon, 4 * terms * single + kFunctionUlps * single * 0.01};
}

/// The case with its inputs known when planning, but for the first, or none of them.
NodeFacts FactsFor(const OpCase& problem, bool constants) {
  NodeFacts node = problem.node;
  for (std::size_t i = 1; constants && i < node.inputs.size(); ++i) {
    if (node.Has(i)) node.inputs[i].constant = &problem.inputs[i];
  }
  return node;
}

Result<std::vector<Value>> RunKernel(const OpCase& problem, const NodeFacts& node,
                                     const Kernel& kernel, runtime::DeviceContext& device,
                                     int pieces) {
  std::unique_ptr<runtime::Executable> executable;
  if (kernel.prepare != nullptr) executable = TRY(kernel.prepare(node, device));
  std::vector<Value> inputs;
  for (std::size_t i = 0; i < problem.inputs.size(); ++i) {
    inputs.push_back(node.Has(i) ? Value(problem.inputs[i]) : Value());
  }
  OpContext context(std::move(inputs), pieces);
  TRY(context.Open(node, executable ? executable->scratch_bytes() : 0));
  TRY(executable ? executable->Run(context) : kernel.run(node, context));
  return context.outputs();
}

class OpTest : public ::testing::TestWithParam<std::filesystem::path> {
 protected:
  void SetUp() override {
    auto device = runtime::MakeDeviceContext(runtime::Device::kCpu, 2);
    ASSERT_TRUE(device) << device.error().message;
    device_ = *device;
  }

  void ExpectSame(const std::vector<Value>& expected, const std::vector<Value>& actual,
                  const OpCase& problem, bool exact) {
    ASSERT_EQ(expected.size(), actual.size());
    for (std::size_t i = 0; i < expected.size(); ++i) {
      Tolerance tolerance;
      const Tensor* tensor = expected[i].tensor();
      if (!exact && tensor != nullptr) tolerance = ToleranceOf(problem, tensor->dtype());
      double max_error = 0;
      EXPECT_EQ(runtime::CompareValues(expected[i], actual[i], tolerance.relative,
                                       tolerance.absolute, max_error),
                "")
          << "output " << i;
    }
  }

  /// The reference kernel in one piece and in several, with inputs known and unknown; then every
  /// other kernel against it.
  void Check(const OpCase& problem) {
    std::vector<Value> expected;
    for (const bool constants : {true, false}) {
      NodeFacts node = FactsFor(problem, constants);
      auto outputs = node.op->infer(node);
      ASSERT_TRUE(outputs) << outputs.error().message;
      node.outputs = *std::move(outputs);
      for (std::size_t k = node.op->kernels.size(); k-- > 0;) {
        CheckKernel(problem, node, node.op->kernels[k], expected);
      }
    }
  }

  void CheckKernel(const OpCase& problem, const NodeFacts& node, const Kernel& kernel,
                   std::vector<Value>& expected) {
    const bool reference = &kernel == &node.op->kernels.back();
    if (kernel.device != runtime::Device::kCpu) return;
    if (kernel.declines != nullptr && !kernel.declines(node).empty()) return;
    for (const int pieces : {1, 3}) {
      SCOPED_TRACE(fmt::format("kernel {}, {} pieces", kernel.name, pieces));
      auto outputs = RunKernel(problem, node, kernel, *device_, pieces);
      if (!outputs && outputs.error().code == Code::kUnimplemented && !reference) return;
      ASSERT_TRUE(outputs) << outputs.error().message;
      if (expected.empty()) expected = *outputs;
      ExpectSame(expected, *outputs, problem, reference && node.op->deterministic);
    }
  }

  std::shared_ptr<runtime::DeviceContext> device_;
};

TEST_P(OpTest, KernelsAgree) {
  auto cases = ReadOpCases(GetParam());
  ASSERT_TRUE(cases) << cases.error().message;
  EXPECT_FALSE(cases->empty());
  for (const OpCase& problem : *cases) {
    SCOPED_TRACE(
        fmt::format("{}:{}: {}", GetParam().filename().string(), problem.line, problem.text));
    Check(problem);
  }
}

std::vector<std::filesystem::path> CaseFiles() {
  std::vector<std::filesystem::path> files;
  const std::filesystem::path folder = std::filesystem::path(SLIPWAY_SOURCE_DIR) / "tests/ops";
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() == ".cases") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

INSTANTIATE_TEST_SUITE_P(Cases, OpTest, ::testing::ValuesIn(CaseFiles()),
                         [](const auto& file) { return file.param.stem().string(); });

}  // namespace
}  // namespace slipway::test
