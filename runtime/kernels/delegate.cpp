// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/delegate.h"

#include <utility>

namespace slipway::runtime {
namespace {

class Delegate final : public Executable {
 public:
  explicit Delegate(NodeFacts node) : node_(std::move(node)) {}

  Result<void> Choose(bool reference, DeviceContext& device) {
    for (const Kernel& kernel : node_.op->kernels) {
      if (kernel.device != Device::kCpu) continue;
      if (reference && &kernel != &node_.op->kernels.back()) continue;
      if (kernel.declines != nullptr && !kernel.declines(node_).empty()) continue;
      if (kernel.prepare != nullptr) {
        auto executable = kernel.prepare(node_, device);
        if (!executable && executable.error().code == Code::kUnimplemented) continue;
        if (!executable) return std::move(executable).error();
        executable_ = *std::move(executable);
      }
      kernel_ = &kernel;
      return {};
    }
    return Error{.code = Code::kUnimplemented,
                 .message = Message("no kernel of ", node_.op->type, " serves it")};
  }

  std::int64_t scratch_bytes() const override {
    return executable_ ? executable_->scratch_bytes() : 0;
  }

  Result<void> Run(KernelContext& context) const override {
    return executable_ ? executable_->Run(context) : kernel_->run(node_, context);
  }

 private:
  NodeFacts node_;
  const Kernel* kernel_ = nullptr;
  std::unique_ptr<Executable> executable_;
};

}  // namespace

NodeFacts AsNodeOf(const NodeFacts& node, std::string_view domain, std::string_view type,
                   int opset) {
  NodeFacts made = node;
  made.op = FindOp(domain, type, opset);
  made.opset = opset;
  return made;
}

Result<std::unique_ptr<Executable>> PrepareNode(NodeFacts node, bool reference,
                                                DeviceContext& device) {
  auto delegate = std::make_unique<Delegate>(std::move(node));
  TRY(delegate->Choose(reference, device));
  return std::unique_ptr<Executable>(std::move(delegate));
}

}  // namespace slipway::runtime
