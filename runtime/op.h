// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <climits>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "base/result.h"
#include "base/unit.h"
#include "runtime/attributes.h"
#include "runtime/runtime.h"
#include "runtime/value.h"

/// For authors of operators: what a file in `ops/` defines.
namespace slipway::runtime {

/// A set of element types.
struct DTypeSet {
  std::uint32_t bits = 0;
  constexpr bool Has(DType d) const { return (bits >> static_cast<unsigned>(d)) & 1U; }
  constexpr DTypeSet operator|(DTypeSet o) const { return {bits | o.bits}; }
};
constexpr DTypeSet Types(std::initializer_list<DType> dtypes) {
  DTypeSet set;
  for (DType d : dtypes) set.bits |= 1U << static_cast<unsigned>(d);
  return set;
}
inline constexpr DTypeSet kFloatTypes = Types({DType::kFloat16, DType::kFloat32, DType::kFloat64});
inline constexpr DTypeSet kFloatTypesB = kFloatTypes | Types({DType::kBfloat16});
inline constexpr DTypeSet kIntTypes =
    Types({DType::kInt8, DType::kInt16, DType::kInt32, DType::kInt64});
inline constexpr DTypeSet kUintTypes =
    Types({DType::kUint8, DType::kUint16, DType::kUint32, DType::kUint64});
inline constexpr DTypeSet kNumericTypes = kFloatTypes | kIntTypes | kUintTypes;
inline constexpr DTypeSet kNumericTypesB = kFloatTypesB | kIntTypes | kUintTypes;
inline constexpr DTypeSet kComplexTypes = Types({DType::kComplex64, DType::kComplex128});
inline constexpr DTypeSet kBoolType = Types({DType::kBool});
inline constexpr DTypeSet kStringType = Types({DType::kString});
inline constexpr DTypeSet kIndexTypes = Types({DType::kInt32, DType::kInt64});
inline constexpr DTypeSet kInt64Type = Types({DType::kInt64});
inline constexpr DTypeSet kFloat8Types = Types(
    {DType::kFloat8E4M3FN, DType::kFloat8E4M3FNUZ, DType::kFloat8E5M2, DType::kFloat8E5M2FNUZ});
inline constexpr DTypeSet kSubByteTypes =
    Types({DType::kUint4, DType::kInt4, DType::kFloat4E2M1, DType::kUint2, DType::kInt2});
inline constexpr DTypeSet kFloat6Types = Types({DType::kFloat6E2M3, DType::kFloat6E3M2});
/// Everything up to opset 12's idea of "all tensor types".
inline constexpr DTypeSet kClassicTypes = kNumericTypes | kBoolType | kStringType | kComplexTypes;
/// Every element type there is.
inline constexpr DTypeSet kAllTypes = kClassicTypes | Types({DType::kBfloat16}) | kFloat8Types |
                                      kSubByteTypes | kFloat6Types | Types({DType::kFloat8E8M0});

/// What is known of a value before the node runs. Shapes are concrete: planning happens for
/// given input shapes. A value whose shape depends on data has none yet.
struct ValueFacts {
  TypeInfo::Kind kind = TypeInfo::Kind::kTensor;
  DType dtype = DType::kUndefined;
  std::optional<Shape> shape = {};
  /// The elements, where they are known when planning: initialisers, and what follows from them
  /// and from shapes. Null otherwise. Owned by the plan.
  const Tensor* constant = nullptr;
};
ValueFacts TensorFacts(DType dtype, Shape shape);
ValueFacts TensorFacts(DType dtype);  ///< shape depends on data

struct OpDef;

/// A node as operators and kernels see it. Owned by the plan; stays as it is while kernels
/// prepared from it live.
struct NodeFacts {
  std::string_view name;  ///< of the node, for messages
  const OpDef* op = nullptr;
  int opset = 0;  ///< version of the operator's domain that the model imports
  Attributes attributes;
  /// As many as the node names; an absent optional one has `present[i] == false`.
  std::vector<ValueFacts> inputs;
  std::vector<bool> present;
  std::vector<bool> outputs_wanted;  ///< false where the node names no output
  std::vector<ValueFacts> outputs;   ///< what infer gave; empty while inferring
  /// The input in whose bytes output 0 lies, for kernels that add to it; -1: none.
  std::int64_t overwrites = -1;

  bool Has(std::size_t input) const { return input < present.size() && present[input]; }
  /// Shape of an input that is present and has one (infer is not called before).
  const Shape& shape(std::size_t input) const { return *inputs[input].shape; }
  DType dtype(std::size_t input) const { return inputs[input].dtype; }
};

/// A body(begin, end) of a loop, for as long as the call it is given to: it refers to what it is
/// made of, and allocates nothing. Bodies throw nothing but what the standard library does without
/// memory, which ends the run with an error.
class RangeBody {
 public:
  template <class Body>
  requires(!std::is_same_v<Body, RangeBody>) RangeBody(const Body& body)
      : body_(&body), call_([](const void* self, std::int64_t begin, std::int64_t end) {
          (*static_cast<const Body*>(self))(begin, end);
        }) {}
  void operator()(std::int64_t begin, std::int64_t end) const { call_(body_, begin, end); }

 private:
  const void* body_;
  void (*call_)(const void*, std::int64_t, std::int64_t);
};

/// What a kernel works with during one run.
class KernelContext {
 public:
  virtual ~KernelContext() = default;
  /// Null for an absent optional input, and where the value is no tensor.
  virtual const Tensor* input(std::size_t index) = 0;
  virtual const Value& input_value(std::size_t index) = 0;
  virtual std::size_t inputs() const = 0;
  /// The output, allocated to its inferred shape. Only where that was known.
  virtual Tensor& output(std::size_t index) = 0;
  /// Allocates an output whose shape depends on data, and gives it.
  virtual Result<Tensor*> Allocate(std::size_t index, DType dtype, Shape shape) = 0;
  /// Makes `value` the output: sequences, maps, and tensors that exist already.
  virtual void Set(std::size_t index, Value value) = 0;
  /// Working memory of Executable::scratch_bytes(), 64-byte aligned.
  virtual std::span<std::byte> scratch() = 0;
  /// Runs body(begin, end) over [0, count) on the session's threads, in pieces of at least
  /// `grain`.
  virtual void ParallelFor(std::int64_t count, std::int64_t grain, const RangeBody& body) = 0;
  virtual int threads() const = 0;
  /// Runs a graph that is an attribute of the node (control flow): its outputs for `inputs`, in
  /// the order of its declared inputs. Names it takes from outside are resolved by the session.
  virtual Result<std::vector<Value>> RunGraph(const GraphData& graph, std::vector<Value> inputs);
};

/// A kernel made ready for one node and shape: weights packed, primitives created. Run is const
/// and called concurrently; state of one run lives in scratch().
class Executable {
 public:
  virtual ~Executable() = default;
  virtual std::int64_t scratch_bytes() const { return 0; }
  virtual Result<void> Run(KernelContext& context) const = 0;
};

/// Per-device things a kernel may keep while preparing. The CPU's holds the oneDNN engine.
class DeviceContext;

/// One implementation of an operator. A kernel has `prepare`, or else `run`.
struct Kernel {
  std::string_view name;  ///< `conv_dnnl`, `conv_reference`: shown by Explain
  Device device = Device::kCpu;
  /// Why it cannot serve this node, "" if it can. Null: it can always.
  std::string (*declines)(const NodeFacts&) = nullptr;
  Result<std::unique_ptr<Executable>> (*prepare)(const NodeFacts&, DeviceContext&) = nullptr;
  Result<void> (*run)(const NodeFacts&, KernelContext&) = nullptr;
};

/// A type variable of a signature and what it may stand for.
struct TypeRule {
  std::string_view name;  ///< `T`
  DTypeSet dtypes;
};

inline constexpr int kNewest = INT_MAX;

/// An operator in a range of versions: its schema, its shape rule and its kernels.
struct OpDef {
  std::string_view type;         ///< ONNX op_type
  std::string_view domain = "";  ///< "" is ai.onnx
  int since = 1;                 ///< opset versions served, both inclusive
  int until = kNewest;
  /// Formal parameters as the standard lists them: `X:T, W:T, B?:T -> Y:T`. `?` marks an
  /// optional one, `*` a variadic one (one or more), `**` one whose items may differ in type.
  /// After the colon stands a type variable of `types`, or an element type (`float`).
  /// Sequences, maps and optionals are written `seq(T)`, `map`, `optional(T)`, `any`.
  std::string_view signature;
  std::span<const TypeRule> types = {};
  /// `axis:int=-1, kernel_shape:ints, mode:string=constant, value!:tensor`; `!` is required.
  std::string_view attributes = "";
  /// Output facts from input facts; touches only constants. kInvalidArgument names the offending
  /// input or attribute with its value. Signature and attributes are already checked, and every
  /// tensor input that is present has a shape.
  Result<std::vector<ValueFacts>> (*infer)(const NodeFacts&) = nullptr;
  std::span<const Kernel> kernels = {};  ///< best first, reference last
  bool deterministic = true;             ///< may be evaluated when planning
  bool view = false;              ///< output 0 has the very bytes of input 0 under another shape
  std::string_view library = "";  ///< its kernels load it: `image` is libslipway_image
};

using OpList = std::span<const OpDef>;
std::span<const Unit<OpList>> ops_table();

/// The definition that serves `type` of `domain` at `opset`; null if there is none.
const OpDef* FindOp(std::string_view domain, std::string_view type, int opset);

}  // namespace slipway::runtime
