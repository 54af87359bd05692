// SPDX-License-Identifier: Apache-2.0
#include "tests/support/op_run.h"

#include <algorithm>
#include <utility>

#include "runtime/device/device.h"
#include "tests/support/op_case.h"
#include "tests/support/op_context.h"

namespace slipway::test {

using runtime::Tensor;
using runtime::Value;

Result<std::vector<Value>> RunOpLine(std::string_view line) { return RunOpLine(line, {}); }

Result<std::vector<Value>> RunOpLine(std::string_view line, std::vector<Tensor> inputs,
                                     std::string_view name) {
  OpCase problem = TRY(ParseOpCase(line, 1));
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    problem.node.inputs[i] = runtime::TensorFacts(inputs[i].dtype(), inputs[i].shape());
    problem.inputs[i] = std::move(inputs[i]);
  }
  problem.node.outputs = TRY(problem.node.op->infer(problem.node));
  const auto kernels = problem.node.op->kernels;
  const auto named = std::ranges::find(kernels, name, &runtime::Kernel::name);
  const runtime::Kernel& kernel = named == kernels.end() ? kernels.back() : *named;
  const auto device = TRY(runtime::MakeDeviceContext(runtime::Device::kCpu, 1));
  std::unique_ptr<runtime::Executable> executable;
  if (kernel.prepare != nullptr) executable = TRY(kernel.prepare(problem.node, *device));
  std::vector<Value> values;
  for (std::size_t i = 0; i < problem.inputs.size(); ++i) {
    values.push_back(problem.node.Has(i) ? Value(problem.inputs[i]) : Value());
  }
  OpContext context(std::move(values), 1);
  TRY(context.Open(problem.node, executable ? executable->scratch_bytes() : 0));
  TRY(executable ? executable->Run(context) : kernel.run(problem.node, context));
  return context.outputs();
}

}  // namespace slipway::test
