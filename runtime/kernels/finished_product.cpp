// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/finished_product.h"

#include "runtime/kernels/dispatch.h"
#include "runtime/kernels/elementwise.h"
#include "runtime/kernels/types.h"

namespace slipway::runtime {
namespace {

class Finished final : public Executable {
 public:
  Finished(const NodeFacts& node, std::unique_ptr<Executable> product, const ProductFinish& finish)
      : product_(std::move(product)), finish_(finish), dtype_(node.dtype(0)) {}

  std::int64_t scratch_bytes() const override { return product_->scratch_bytes(); }

  Result<void> Run(KernelContext& context) const override {
    TRY(product_->Run(context));
    Tensor& y = context.output(0);
    return Dispatch(FloatList{}, dtype_, [&](auto tag) {
      using T = typename decltype(tag)::type;
      T* out = y.data<T>().data();
      const T* row = finish_.row ? context.input(2)->data<T>().data() : nullptr;
      const std::int64_t width = y.rank() == 0 ? 1 : y.dim(y.rank() - 1);
      context.ParallelFor(y.size(), kElementGrain, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t i = begin; i < end; ++i) {
          const auto sum = static_cast<double>(out[i]) +
                           (row == nullptr ? 0 : static_cast<double>(row[i % width]));
          out[i] = static_cast<T>(Activate(finish_.activation, sum, finish_.alpha, finish_.beta));
        }
      });
    });
  }

 private:
  std::unique_ptr<Executable> product_;
  ProductFinish finish_;
  DType dtype_;
};

}  // namespace

std::unique_ptr<Executable> FinishedProduct(const NodeFacts& node,
                                            std::unique_ptr<Executable> product,
                                            const ProductFinish& finish) {
  return std::make_unique<Finished>(node, std::move(product), finish);
}

}  // namespace slipway::runtime
