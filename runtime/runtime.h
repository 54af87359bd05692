// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "base/result.h"
#include "runtime/value.h"

/// The embedded runtime: reads ONNX models and executes them. This header, `tensor.h` and
/// `value.h` are all that users of the library in C++ include; `slipway.h` is the C library.
namespace slipway::runtime {

enum class Device : std::uint8_t { kCpu, kCuda };
/// `cpu`, `cuda`
std::string_view DeviceName(Device device);
/// kInvalidArgument naming the devices there are.
Result<Device> DeviceFromName(std::string_view name);

struct GraphData;

/// What the file says of itself. Source: ModelProto.
struct ModelInfo {
  std::int64_t ir_version = 0;
  std::vector<std::pair<std::string, std::int64_t>> opsets;  ///< domain ("" is ai.onnx), version
  std::string producer_name, producer_version, domain, graph_name, description;
  std::int64_t model_version = 0;
  std::vector<std::pair<std::string, std::string>> metadata;
  std::int64_t nodes = 0;       ///< subgraphs included
  std::int64_t parameters = 0;  ///< elements of all initialisers
  std::int64_t parameter_bytes = 0;
  std::vector<std::pair<std::string, std::int64_t>> operators;  ///< `domain.Type`, how often
  std::vector<std::string> libraries;  ///< files of shared libraries that its operators load
};

/// What a model's file may ask for while it is read.
struct ModelLimits {
  std::int64_t nodes = limits::kGraphNodes;  ///< of the graph, and of each graph inside it
  std::int64_t depth = limits::kGraphDepth;  ///< of graphs and functions inside one another
  std::int64_t memory_bytes = 0;             ///< of the weights; 0: what this process may use
};

/// A parsed and validated model. Immutable; copies share it; thread-safe.
class Model {
 public:
  /// Reads a file; external data is looked for beside it and never outside its folder.
  /// kNotFound, kInvalidArgument (id `Model.Invalid`) naming what is wrong and where,
  /// kUnimplemented (id `Model.UnsupportedOperator`) naming operator, opset and node.
  /// kResourceExhausted (ids `Tensor.TooLarge`, `Run.MemoryLimit`) for weights beyond `limits`.
  static Result<Model> Load(const std::filesystem::path& path, const ModelLimits& limits = {});
  /// From memory; a model with external data is refused.
  static Result<Model> Parse(std::span<const std::byte> onnx, const ModelLimits& limits = {});

  /// Inputs a caller must or may feed; initialisers that are also inputs are not among them.
  std::span<const ValueInfo> inputs() const;
  std::span<const ValueInfo> overridable_initializers() const;
  std::span<const ValueInfo> outputs() const;
  const ModelInfo& info() const;
  const std::shared_ptr<const GraphData>& graph() const { return graph_; }

 private:
  explicit Model(std::shared_ptr<const GraphData> graph) : graph_(std::move(graph)) {}
  std::shared_ptr<const GraphData> graph_;
};

/// What a session and its runs may use.
struct SessionLimits {
  /// Of all that the session allocates and has not given back: weights (the model's and packed
  /// ones), working memory, values; runs at the same time share it. Inputs are the caller's, and
  /// outputs once they are returned. 0: what this process may use, beside the model's weights.
  std::int64_t memory_bytes = 0;
  std::int64_t tensor_bytes = limits::kTensorBytes;  ///< of one tensor
  std::int64_t string_bytes = limits::kStringBytes;  ///< of one tensor's text
  std::int64_t loop_trips = limits::kLoopTrips;      ///< graphs inside nodes, in one run; 0: any
};

/// How far answers may be from those of each node's sums, rounded to its element type.
enum class Accuracy : std::uint8_t {
  /// Convolutions of 3x3 and 5x5 by Winograd's way, where that is quicker; networks of 16-bit
  /// floats keep float32 between their nodes.
  kStandard,
  kStrict,  ///< sums alone, and each node's rounding
};
/// `standard` or `strict`; kInvalidArgument naming them for another.
Result<Accuracy> AccuracyFromName(std::string_view name);

/// In what the products of weights (Conv, MatMul, Gemm) are computed, where that gains; inputs,
/// outputs and all else stay as they are. Their errors are those of rounding what is multiplied:
/// weights once, and what they are multiplied by at each run.
enum class Precision : std::uint8_t {
  kFloat32,
  kBfloat16,  ///< to bfloat16; sums are of float32
  /// To 8 bits of the largest number of a weight's output channel, of a row or of an image, with a
  /// sign; sums are exact.
  kInt8,
};
/// `fp32`, `bf16`, `int8`
std::string_view PrecisionName(Precision precision);
/// kInvalidArgument naming these for another.
Result<Precision> PrecisionFromName(std::string_view name);
/// Whether this processor has instructions for it; where it has none, products are float32.
bool HasPrecision(Precision precision);
/// One line that says so where it has none, else empty.
std::string PrecisionWarning(Precision precision);

struct SessionOptions {
  Device device = Device::kCpu;
  int threads = 0;         ///< for one run; 0: one per core this process may use
  bool passes = true;      ///< rewrite the graph for speed
  bool reference = false;  ///< only reference kernels, for comparison
  bool profile = false;    ///< keep the time each node took
  Accuracy accuracy = Accuracy::kStandard;
  Precision precision = Precision::kFloat32;
  SessionLimits limits = {};
};

/// Names and values, in any order.
using Feeds = std::vector<std::pair<std::string, Value>>;

/// What ends a run before it is done. Looked at before each node, those of loop bodies included,
/// and inside nodes that take long: a run ends some tens of milliseconds after.
struct RunLimits {
  std::optional<std::chrono::steady_clock::time_point> deadline = {};
  const std::atomic<bool>* cancelled = nullptr;  ///< another thread may set it
};

/// What a node did, when SessionOptions::profile is set.
struct NodeProfile {
  std::string node, op_type, kernel;
  std::int64_t runs = 0;
  double total_ms = 0;
  double best_ms = 0;        ///< of the quickest run
  double last_start_ms = 0;  ///< of the last run, on a clock that all nodes share
  double last_ms = 0;
  std::int64_t flops = 0;  ///< of one run, where that is known; else 0
};

/// A model made ready to run on a device. Plans (kernels chosen, memory laid out) are made for
/// the input shapes that come and kept. Thread-safe: Run may be called concurrently.
class Session {
 public:
  /// Errors as Run; what follows from the model's constants is computed here.
  static Result<std::unique_ptr<Session>> Create(const Model& model,
                                                 const SessionOptions& options = {},
                                                 const RunLimits& limits = {});
  virtual ~Session() = default;
  /// Outputs in the order of `outputs`, or all of the model's where that is empty.
  /// kInvalidArgument (ids `Input.Missing`, `Input.Unknown`, `Input.WrongType`,
  /// `Input.WrongShape`, `Output.Unknown`) naming the input, what it wants and what it got;
  /// kDeadlineExceeded (`Run.DeadlineExceeded`) and kUnavailable (`Run.Cancelled`) as `limits` say;
  /// kResourceExhausted (`Run.MemoryLimit`, `Run.TooManyTrips`, `Tensor.TooLarge`) as the session's
  /// limits do.
  virtual Result<std::vector<Value>> Run(const Feeds& feeds,
                                         std::span<const std::string> outputs = {},
                                         const RunLimits& limits = {}) = 0;
  virtual const Model& model() const = 0;
  /// Per node: the kernel chosen, and which declined and why, for shapes like those of `feeds`;
  /// also which passes changed what, and the memory plan's size.
  virtual Result<std::string> Explain(const Feeds& feeds) = 0;
  virtual std::vector<NodeProfile> Profile() const = 0;
  /// Bytes of working memory that one run with such inputs needs, outputs excluded.
  virtual Result<std::int64_t> WorkingBytes(const Feeds& feeds) = 0;
  /// Bytes that count towards SessionLimits::memory_bytes now.
  virtual std::int64_t MemoryBytes() const = 0;
};

/// Feeds of zeros that fit the model's inputs; dimensions not fixed become `dimension`.
Result<Feeds> ZeroFeeds(const Model& model, std::int64_t dimension = 1);

/// Reads a serialised TensorProto, SequenceProto or OptionalProto, as `type` says.
Result<Value> ReadProtoValue(std::span<const std::byte> bytes, const TypeInfo& type);
/// Serialises a tensor as a TensorProto (raw_data) with that name.
Result<std::string> WriteTensorProto(const Tensor& tensor, std::string_view name);

/// The operators this build executes: domain, type, versions, kernels. For `slipway ops`.
struct OperatorInfo {
  std::string domain, type;
  int since = 1, until = 0;  ///< until 0: newest
  /// Parameters and attributes in the words of `op.h`: `X:T, B?:T -> Y:T`, `axis:int=-1`.
  std::string signature = {}, attributes = {};
  /// Type variables of the signature, each with the element types it stands for: `float, double`.
  std::vector<std::pair<std::string, std::string>> types = {};
  std::vector<std::string> kernels = {};
};
std::vector<OperatorInfo> SupportedOperators();

/// Files of all the shared libraries that operators load when a model has them; they lie beside
/// libslipway.
std::vector<std::string> OperatorLibraries();

}  // namespace slipway::runtime
