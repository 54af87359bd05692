// SPDX-License-Identifier: Apache-2.0
// And, Or, Xor (opsets 1, 7), Not (1), BitwiseAnd, BitwiseOr, BitwiseXor, BitwiseNot (18),
// BitShift (11, 28). Spec: https://onnx.ai/onnx/operators/onnx__And.html and the others' pages.
// A shift by the width or more gives what shifting by one, that often, would.
#include "runtime/kernels/elementwise.h"
#include "runtime/kernels/types.h"

namespace slipway::runtime {
namespace {

struct And : Plain {
  using Plain::Plain;
  template <class T>
  T operator()(T a, T b) const {
    return static_cast<T>(a & b);
  }
};

struct Or : Plain {
  using Plain::Plain;
  template <class T>
  T operator()(T a, T b) const {
    return static_cast<T>(a | b);
  }
};

struct Xor : Plain {
  using Plain::Plain;
  template <class T>
  T operator()(T a, T b) const {
    return static_cast<T>(a ^ b);
  }
};

/// On bytes, which vectors compare; what is true is 1.
void NotEach(const std::uint8_t* x, std::uint8_t* y, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) y[i] = x[i] == 0 ? 1 : 0;
}

Result<void> RunNot(const NodeFacts&, KernelContext& context) {
  const auto* x = static_cast<const std::uint8_t*>(context.input(0)->raw());
  auto* y = static_cast<std::uint8_t*>(context.output(0).raw());
  context.ParallelFor(
      context.output(0).size(), kElementGrain,
      [=](std::int64_t begin, std::int64_t end) { NotEach(x + begin, y + begin, end - begin); });
  return {};
}

struct BitwiseNot : Plain {
  using Plain::Plain;
  template <class T>
  T operator()(T x) const {
    return static_cast<T>(~x);
  }
};

struct BitShift {
  bool left;
  explicit BitShift(const NodeFacts& node)
      : left(node.attributes.String("direction", "") == "LEFT") {}
  template <class T>
  T operator()(T x, T by) const {
    constexpr int kBits = static_cast<int>(sizeof(T) * 8);
    const bool far = std::cmp_greater_equal(by, kBits) || std::cmp_less(by, 0);
    if (left) {
      if (far) return 0;
      using U = std::make_unsigned_t<T>;
      return static_cast<T>(static_cast<U>(1U * static_cast<U>(x) << static_cast<int>(by)));
    }
    return static_cast<T>(x >> (far ? kBits - 1 : static_cast<int>(by)) >> (far ? 1 : 0));
  }
};

Result<Facts> InferBitShift(const NodeFacts& node) {
  const std::string_view direction = node.attributes.String("direction", "");
  if (direction != "LEFT" && direction != "RIGHT") {
    return Invalid("attribute `direction` is `", direction, "`, neither `LEFT` nor `RIGHT`");
  }
  return InferBinary(node);
}

using BoolList = TypeList<bool>;
constexpr DTypeSet kIntegerTypes = kIntTypes | kUintTypes;

template <class F, class List>
constexpr Kernel kBinary[] = {{.name = "elementwise", .run = RunBinary<F, List>}};
template <class F, class List>
constexpr Kernel kUnary[] = {{.name = "elementwise", .run = RunUnary<F, List>}};

constexpr Kernel kNot[] = {{.name = "elementwise", .run = RunNot}};

consteval OpDef BoolRow(std::string_view type, int since, std::span<const Kernel> kernels) {
  return {.type = type,
          .since = since,
          .signature = "A:T, B:T -> C:T1",
          .types = kTT1<kBoolType, kBoolType>,
          .attributes = since < 7 ? "axis:int, broadcast:int=0" : "",
          .infer = InferBinaryBool,
          .kernels = kernels};
}

consteval OpDef BitwiseRow(std::string_view type, std::span<const Kernel> kernels) {
  return {.type = type,
          .since = 18,
          .signature = "A:T, B:T -> C:T",
          .types = kT<kIntegerTypes>,
          .infer = InferBinary,
          .kernels = kernels};
}

consteval OpDef NotRow(std::string_view type, int since, std::span<const TypeRule> types,
                       std::span<const Kernel> kernels) {
  return {.type = type,
          .since = since,
          .signature = "X:T -> Y:T",
          .types = types,
          .infer = InferSame,
          .kernels = kernels};
}

consteval OpDef ShiftRow(int since, std::span<const TypeRule> types) {
  return {.type = "BitShift",
          .since = since,
          .signature = "X:T, Y:T -> Z:T",
          .types = types,
          .attributes = "direction!:string",
          .infer = InferBitShift,
          .kernels = kBinary<BitShift, IntegerList>};
}

}  // namespace

OpList ops_logic() {
  static constexpr auto kOps = Versions({
      BoolRow("And", 1, kBinary<And, BoolList>),
      BoolRow("And", 7, kBinary<And, BoolList>),
      BoolRow("Or", 1, kBinary<Or, BoolList>),
      BoolRow("Or", 7, kBinary<Or, BoolList>),
      BoolRow("Xor", 1, kBinary<Xor, BoolList>),
      BoolRow("Xor", 7, kBinary<Xor, BoolList>),
      NotRow("Not", 1, kT<kBoolType>, kNot),
      BitwiseRow("BitwiseAnd", kBinary<And, IntegerList>),
      BitwiseRow("BitwiseOr", kBinary<Or, IntegerList>),
      BitwiseRow("BitwiseXor", kBinary<Xor, IntegerList>),
      NotRow("BitwiseNot", 18, kT<kIntegerTypes>, kUnary<BitwiseNot, IntegerList>),
      ShiftRow(11, kT<kUintTypes>),
      ShiftRow(28, kT<kIntegerTypes>),
  });
  return kOps;
}

}  // namespace slipway::runtime
