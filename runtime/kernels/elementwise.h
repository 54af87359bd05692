// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "runtime/kernels/broadcast.h"
#include "runtime/kernels/dispatch.h"
#include "runtime/op.h"

/// Kernels made of one function of elements. A function object is built from the node and has
/// `operator()` for every compute type of its list; 16-bit floats are computed in float.
namespace slipway::runtime {

inline constexpr std::int64_t kElementGrain = 16 << 10;

/// out[i] = f(in[i])
template <class In, class Out, class F>
void MapElements(KernelContext& context, const Tensor& x, Tensor& y, const F& f) {
  const In* in = x.data<In>().data();
  Out* out = y.data<Out>().data();
  context.ParallelFor(x.size(), kElementGrain, [=](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      out[i] = static_cast<Out>(f(static_cast<Compute<In>>(in[i])));
    }
  });
}

/// A kernel of one input for the element types of List; F(node) is its function.
template <class F, class List>
Result<void> RunUnary(const NodeFacts& node, KernelContext& context) {
  const F f(node);
  const Tensor& x = *context.input(0);
  Tensor& y = context.output(0);
  return Dispatch(List{}, x.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    MapElements<T, T>(context, x, y, f);
  });
}

/// out[i] = f(a[i * a_step], b[i * b_step]), steps 0 or 1.
template <class T, class Out, class F>
void BinaryRun(const T* a, std::int64_t a_step, const T* b, std::int64_t b_step, Out* out,
               std::int64_t count, const F& f) {
  using C = Compute<T>;
  if (a_step == 1 && b_step == 1) {
    for (std::int64_t i = 0; i < count; ++i) {
      out[i] = static_cast<Out>(f(static_cast<C>(a[i]), static_cast<C>(b[i])));
    }
  } else if (a_step == 1) {
    const C right = static_cast<C>(*b);
    for (std::int64_t i = 0; i < count; ++i) {
      out[i] = static_cast<Out>(f(static_cast<C>(a[i]), right));
    }
  } else {
    const C left = static_cast<C>(*a);
    for (std::int64_t i = 0; i < count; ++i) {
      out[i] = static_cast<Out>(f(left, static_cast<C>(b[i * b_step])));
    }
  }
}

/// Combines two tensors of T that broadcast as `plan` says.
template <class T, class Out, class F>
void BinaryElements(KernelContext& context, const BroadcastPlan& plan, const T* a, const T* b,
                    Out* out, const F& f) {
  context.ParallelFor(plan.size, kElementGrain, [&](std::int64_t begin, std::int64_t end) {
    ForEachRun(plan, begin, end,
               [&](std::int64_t at, const std::vector<std::int64_t>& from, std::int64_t count) {
                 BinaryRun(a + from[0], plan.inner_stride(0), b + from[1], plan.inner_stride(1),
                           out + at, count, f);
               });
  });
}

/// A kernel of two inputs of one type; the output has type Out, or that of the inputs if Out is
/// void.
template <class F, class List, class Out = void>
Result<void> RunBinary(const NodeFacts& node, KernelContext& context) {
  const F f(node);
  const Tensor& a = *context.input(0);
  const Tensor& b = *context.input(1);
  Tensor& y = context.output(0);
  const auto goes_along = [&](const Tensor& x) { return x.size() == y.size() || x.size() == 1; };
  if (goes_along(a) && goes_along(b)) {
    const std::int64_t a_step = a.size() == 1 ? 0 : 1, b_step = b.size() == 1 ? 0 : 1;
    return Dispatch(List{}, a.dtype(), [&](auto tag) {
      using T = typename decltype(tag)::type;
      using To = std::conditional_t<std::is_void_v<Out>, T, Out>;
      const T *from_a = a.data<T>().data(), *from_b = b.data<T>().data();
      To* const to = y.data<To>().data();
      context.ParallelFor(y.size(), kElementGrain, [&](std::int64_t begin, std::int64_t end) {
        BinaryRun(from_a + begin * a_step, a_step, from_b + begin * b_step, b_step, to + begin,
                  end - begin, f);
      });
    });
  }
  const BroadcastPlan plan = PlanBroadcast(y.shape(), TRY(BinaryShapes(node)));
  return Dispatch(List{}, a.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    using To = std::conditional_t<std::is_void_v<Out>, T, Out>;
    BinaryElements(context, plan, a.data<T>().data(), b.data<T>().data(), y.data<To>().data(), f);
  });
}

/// Base of function objects that need nothing of their node.
struct Plain {
  explicit Plain(const NodeFacts&) {}
};

}  // namespace slipway::runtime
