// SPDX-License-Identifier: Apache-2.0
#include "runtime/c_api.h"

#include <chrono>
#include <cstddef>
#include <cstring>

#include "runtime/run_into.h"

namespace slipway::runtime {
namespace {

/// Given where there is no memory to say more; never released.
slipway_status_object& NoMemoryStatus() {
  static slipway_status_object status{
      {.code = Code::kResourceExhausted, .message = "out of memory"}, "ResourceExhausted"};
  return status;
}

slipway_type MakeType(const TypeInfo& info) {
  slipway_type type{.info = info, .text = TypeText(info), .element = {}};
  if (!info.element.empty()) type.element.push_back(MakeType(info.element.front()));
  return type;
}

PortItems MakePort(std::span<const ValueInfo> infos) {
  PortItems port;
  for (const ValueInfo& info : infos) {
    port.names.push_back(info.name);
    port.types.push_back(MakeType(info.type));
  }
  return port;
}

slipway_model* Wrap(Model model) {
  auto inputs = MakePort(model.inputs());
  auto outputs = MakePort(model.outputs());
  auto overridable = MakePort(model.overridable_initializers());
  return new slipway_model{std::move(model),
                           {std::move(inputs), std::move(outputs), std::move(overridable)}};
}

const PortItems* PortOf(const slipway_model* model, int32_t port) {
  return model != nullptr && port >= 0 && port <= 2 ? &model->ports[port] : nullptr;
}

Result<Feeds> MakeFeeds(const char* const* names, const slipway_value* const* inputs,
                        size_t count) {
  if (count > 0 && (names == nullptr || inputs == nullptr)) return NullArgument("inputs");
  Feeds feeds;
  for (size_t i = 0; i < count; ++i) {
    if (names[i] == nullptr || inputs[i] == nullptr) return NullArgument("inputs");
    feeds.emplace_back(names[i], inputs[i]->value);
  }
  return feeds;
}

/// Options end so for callers that do not tell their size. Never changed.
constexpr std::size_t kModelOptionsBytes =
    offsetof(slipway_model_options, memory_bytes) + sizeof(slipway_model_options::memory_bytes);
constexpr std::size_t kSessionOptionsBytes =
    offsetof(slipway_session_options, precision) + sizeof(slipway_session_options::precision);
constexpr std::size_t kRunOptionsBytes =
    offsetof(slipway_run_options, cancel) + sizeof(slipway_cancel*);

/// Clears so many bytes of a caller's options, whose defaults are 0, and sets their size.
template <class Options>
void SetDefaults(Options* options, std::size_t size) {
  if (options == nullptr || size < sizeof(options->struct_size)) return;
  std::memset(options, 0, size);
  options->struct_size = size;
}

/// A limit of a caller's options into `limit`, which keeps its default where that is 0.
Result<void> SetLimit(const char* name, int64_t given, std::int64_t& limit) {
  if (given < 0) {
    return Error{.code = Code::kInvalidArgument,
                 .message = std::string("options: ") + name + " is " + std::to_string(given) +
                            ": it must not be negative"};
  }
  if (given > 0) limit = given;
  return {};
}

Result<Precision> PrecisionOf(std::int32_t given) {
  switch (given) {
    case SLIPWAY_PRECISION_FP32:
      return Precision::kFloat32;
    case SLIPWAY_PRECISION_BF16:
      return Precision::kBfloat16;
    case SLIPWAY_PRECISION_INT8:
      return Precision::kInt8;
    default:
      return Error{.code = Code::kInvalidArgument,
                   .message = "options: precision " + std::to_string(given) + " is not known",
                   .id = "Usage"};
  }
}

Result<SessionOptions> MakeOptions(const slipway_session_options& known) {
  SessionOptions options;
  if (known.device != SLIPWAY_CPU && known.device != SLIPWAY_CUDA) {
    return Error{.code = Code::kInvalidArgument,
                 .message = "options: device " + std::to_string(known.device) + " is not known",
                 .id = "Device.Unknown"};
  }
  options.device = known.device == SLIPWAY_CUDA ? Device::kCuda : Device::kCpu;
  options.threads = known.threads;
  options.passes = known.no_passes == 0;
  options.reference = known.reference != 0;
  options.profile = known.profile != 0;
  options.accuracy = known.strict_accuracy != 0 ? Accuracy::kStrict : Accuracy::kStandard;
  options.precision = TRY(PrecisionOf(known.precision));
  TRY(SetLimit("memory_bytes", known.memory_bytes, options.limits.memory_bytes));
  TRY(SetLimit("tensor_bytes", known.tensor_bytes, options.limits.tensor_bytes));
  TRY(SetLimit("string_bytes", known.string_bytes, options.limits.string_bytes));
  TRY(SetLimit("loop_trips", known.loop_trips, options.limits.loop_trips));
  return options;
}

Result<TuneOptions> MakeTuning(const slipway_session_options& known) {
  std::int64_t budget = 0;
  TRY(SetLimit("tune_ms", known.tune_ms, budget));
  constexpr std::int64_t kMostMs = 86'400'000;
  TuneOptions tune{.budget = std::chrono::milliseconds(std::min(budget, kMostMs))};
  if (known.choices_file != nullptr) tune.file = known.choices_file;
  return tune;
}

Result<ModelLimits> MakeLimits(const slipway_model_options* given) {
  const auto known = TRY(KnownOptions(given));
  ModelLimits limits;
  TRY(SetLimit("nodes", known.nodes, limits.nodes));
  TRY(SetLimit("depth", known.depth, limits.depth));
  TRY(SetLimit("memory_bytes", known.memory_bytes, limits.memory_bytes));
  return limits;
}

const std::string& Empty() {
  static const std::string empty;
  return empty;
}

const std::string& TextOf(const ModelInfo& info, int32_t field) {
  switch (field) {
    case SLIPWAY_PRODUCER_NAME:
      return info.producer_name;
    case SLIPWAY_PRODUCER_VERSION:
      return info.producer_version;
    case SLIPWAY_DOMAIN:
      return info.domain;
    case SLIPWAY_GRAPH_NAME:
      return info.graph_name;
    case SLIPWAY_DESCRIPTION:
      return info.description;
    default:
      return Empty();
  }
}

}  // namespace

slipway_status MakeStatus(Error error) noexcept {
  try {
    std::string id = ErrorId(error);
    return new slipway_status_object{std::move(error), std::move(id)};
  } catch (const std::exception&) {
    return &NoMemoryStatus();
  }
}

Result<void> RunSession(slipway_session& session, const Feeds& feeds,
                        const char* const* output_names, size_t output_count,
                        const RunLimits& limits, slipway_value** outputs,
                        std::span<const Value> memory) {
  std::vector<std::string> names;
  const auto known = session.session->model().outputs();
  const size_t all = known.size();
  bool in_order = output_count == all;
  for (size_t i = 0; output_names != nullptr && i < output_count; ++i) {
    if (output_names[i] == nullptr) return NullArgument("output_names");
    in_order = in_order && known[i].name == output_names[i];
  }
  // No names are all outputs as they come.
  for (size_t i = 0; output_names != nullptr && !in_order && i < output_count; ++i) {
    names.emplace_back(output_names[i]);
  }
  if (output_names == nullptr && output_count != all) {
    return Error{.code = Code::kInvalidArgument,
                 .message = "room for " + std::to_string(output_count) +
                            " outputs, the model has " + std::to_string(all)};
  }
  if (output_count == 0) return {};
  std::vector<Value> values(memory.begin(), memory.end());
  values.resize(output_count);
  TRY(RunInto(*session.session, feeds, names, values, limits));
  std::vector<std::unique_ptr<slipway_value>> made(values.size());
  for (size_t i = 0; i < values.size(); ++i) {
    if (!memory.empty() && !memory[i].is_none()) continue;
    made[i].reset(new slipway_value{std::move(values[i])});
  }
  for (size_t i = 0; i < made.size(); ++i) outputs[i] = made[i].release();
  return {};
}

Result<RunLimits> LimitsOf(int64_t deadline_ms, const slipway_cancel* cancel) {
  RunLimits limits{.deadline = {}, .cancelled = cancel == nullptr ? nullptr : &cancel->cancelled};
  if (deadline_ms < 0) {
    return Error{.code = Code::kInvalidArgument,
                 .message = "options: deadline_ms is " + std::to_string(deadline_ms) +
                            ": it must not be negative"};
  }
  // Beyond it the clock's numbers end.
  constexpr int64_t kForeverMs = int64_t{1} << 42;
  if (deadline_ms > 0 && deadline_ms < kForeverMs) {
    limits.deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(deadline_ms);
  }
  return limits;
}

Result<RunLimits> LimitsOf(const slipway_run_options* options) {
  const auto known = TRY(KnownOptions(options));
  return LimitsOf(known.deadline_ms, known.cancel);
}

Error NullArgument(std::string_view name) {
  return {.code = Code::kInvalidArgument, .message = std::string(name) + " is NULL"};
}

}  // namespace slipway::runtime

using namespace slipway::runtime;
using slipway::Result;

uint32_t slipway_abi_version(void) { return SLIPWAY_ABI_VERSION; }
const char* slipway_version(void) { return SLIPWAY_VERSION; }

int32_t slipway_status_code(slipway_status status) {
  return status == nullptr ? SLIPWAY_OK : static_cast<int32_t>(status->error.code) + 1;
}
const char* slipway_status_message(slipway_status status) {
  return status == nullptr ? "" : status->error.message.c_str();
}
const char* slipway_status_id(slipway_status status) {
  return status == nullptr ? "" : status->id.c_str();
}
const char* slipway_status_fix(slipway_status status) {
  return status == nullptr ? "" : status->error.fix.c_str();
}
void slipway_status_release(slipway_status status) {
  if (status != &NoMemoryStatus()) delete status;
}
void slipway_text_release(char* text) { delete[] text; }

int32_t slipway_type_kind(const slipway_type* type) {
  return type == nullptr ? SLIPWAY_NONE : static_cast<int32_t>(type->info.kind) + 1;
}
int32_t slipway_type_dtype(const slipway_type* type) {
  return type == nullptr ? SLIPWAY_UNDEFINED : static_cast<int32_t>(type->info.dtype);
}
int64_t slipway_type_rank(const slipway_type* type) {
  return type == nullptr || !type->info.shape ? -1 : static_cast<int64_t>(type->info.shape->size());
}
int64_t slipway_type_dim(const slipway_type* type, int64_t index) {
  if (index < 0 || index >= slipway_type_rank(type)) return -1;
  return (*type->info.shape)[static_cast<size_t>(index)];
}
const char* slipway_type_symbol(const slipway_type* type, int64_t index) {
  if (type == nullptr || index < 0) return "";
  const auto& symbols = type->info.symbols;
  const auto at = static_cast<size_t>(index);
  return at < symbols.size() ? symbols[at].c_str() : "";
}
const slipway_type* slipway_type_element(const slipway_type* type) {
  return type == nullptr || type->element.empty() ? nullptr : &type->element.front();
}
const char* slipway_type_text(const slipway_type* type) {
  return type == nullptr ? "" : type->text.c_str();
}

void slipway_model_options_init_sized(slipway_model_options* options, size_t struct_size) {
  SetDefaults(options, struct_size);
}
void(slipway_model_options_init)(slipway_model_options* options) {
  SetDefaults(options, kModelOptionsBytes);
}

slipway_status slipway_model_load(const char* path, slipway_model** model) {
  return slipway_model_load_with(path, nullptr, model);
}

slipway_status slipway_model_load_with(const char* path, const slipway_model_options* options,
                                       slipway_model** model) {
  return Guarded([&]() -> Result<void> {
    if (path == nullptr || model == nullptr) return NullArgument("path or model");
    const ModelLimits limits = TRY(MakeLimits(options));
    *model = Wrap(TRY(Model::Load(path, limits)));
    return {};
  });
}

slipway_status slipway_model_parse(const void* bytes, size_t size, slipway_model** model) {
  return slipway_model_parse_with(bytes, size, nullptr, model);
}

slipway_status slipway_model_parse_with(const void* bytes, size_t size,
                                        const slipway_model_options* options,
                                        slipway_model** model) {
  return Guarded([&]() -> Result<void> {
    if ((bytes == nullptr && size > 0) || model == nullptr) return NullArgument("bytes or model");
    const ModelLimits limits = TRY(MakeLimits(options));
    *model = Wrap(TRY(Model::Parse({static_cast<const std::byte*>(bytes), size}, limits)));
    return {};
  });
}

void slipway_model_release(slipway_model* model) { delete model; }

size_t slipway_model_count(const slipway_model* model, int32_t port) {
  const auto* items = PortOf(model, port);
  return items == nullptr ? 0 : items->names.size();
}
const char* slipway_model_name(const slipway_model* model, int32_t port, size_t index) {
  const auto* items = PortOf(model, port);
  return items == nullptr || index >= items->names.size() ? nullptr : items->names[index].c_str();
}
const slipway_type* slipway_model_type(const slipway_model* model, int32_t port, size_t index) {
  const auto* items = PortOf(model, port);
  return items == nullptr || index >= items->types.size() ? nullptr : &items->types[index];
}

const char* slipway_model_text_of(const slipway_model* model, int32_t field) {
  return model == nullptr ? "" : TextOf(model->model.info(), field).c_str();
}
int64_t slipway_model_version(const slipway_model* model) {
  return model == nullptr ? 0 : model->model.info().model_version;
}
int64_t slipway_model_ir_version(const slipway_model* model) {
  return model == nullptr ? 0 : model->model.info().ir_version;
}
size_t slipway_model_metadata_count(const slipway_model* model) {
  return model == nullptr ? 0 : model->model.info().metadata.size();
}
const char* slipway_model_metadata_key(const slipway_model* model, size_t index) {
  if (index >= slipway_model_metadata_count(model)) return nullptr;
  return model->model.info().metadata[index].first.c_str();
}
const char* slipway_model_metadata_value(const slipway_model* model, size_t index) {
  if (index >= slipway_model_metadata_count(model)) return nullptr;
  return model->model.info().metadata[index].second.c_str();
}
size_t slipway_model_opset_count(const slipway_model* model) {
  return model == nullptr ? 0 : model->model.info().opsets.size();
}
const char* slipway_model_opset_domain(const slipway_model* model, size_t index) {
  if (index >= slipway_model_opset_count(model)) return nullptr;
  return model->model.info().opsets[index].first.c_str();
}
int64_t slipway_model_opset_version(const slipway_model* model, size_t index) {
  if (index >= slipway_model_opset_count(model)) return 0;
  return model->model.info().opsets[index].second;
}

slipway_status slipway_cancel_create(slipway_cancel** cancel) {
  return Guarded([&]() -> Result<void> {
    if (cancel == nullptr) return NullArgument("cancel");
    *cancel = new slipway_cancel;
    return {};
  });
}
void slipway_cancel_set(slipway_cancel* cancel, int32_t cancelled) {
  if (cancel != nullptr) cancel->cancelled.store(cancelled != 0, std::memory_order_relaxed);
}
int32_t slipway_cancel_get(const slipway_cancel* cancel) {
  return cancel != nullptr && cancel->cancelled.load(std::memory_order_relaxed) ? 1 : 0;
}
void slipway_cancel_release(slipway_cancel* cancel) { delete cancel; }

void slipway_run_options_init_sized(slipway_run_options* options, size_t struct_size) {
  SetDefaults(options, struct_size);
}
void(slipway_run_options_init)(slipway_run_options* options) {
  SetDefaults(options, kRunOptionsBytes);
}

void slipway_session_options_init_sized(slipway_session_options* options, size_t struct_size) {
  SetDefaults(options, struct_size);
}
void(slipway_session_options_init)(slipway_session_options* options) {
  SetDefaults(options, kSessionOptionsBytes);
}

slipway_status slipway_session_create(const slipway_model* model,
                                      const slipway_session_options* options,
                                      slipway_session** session) {
  return Guarded([&]() -> Result<void> {
    if (model == nullptr || session == nullptr) return NullArgument("model or session");
    const auto known = TRY(KnownOptions(options));
    const SessionOptions wanted = TRY(MakeOptions(known));
    const RunLimits limits = TRY(LimitsOf(known.deadline_ms, known.cancel));
    SurviveForks();
    const TuneOptions tune = TRY(MakeTuning(known));
    auto made = TRY(OpenTuned(model->model, {}, wanted, tune, limits));
    *session = new slipway_session{std::move(made)};
    return {};
  });
}

slipway_status slipway_session_run(slipway_session* session, const char* const* input_names,
                                   const slipway_value* const* inputs, size_t input_count,
                                   const char* const* output_names, size_t output_count,
                                   slipway_value** outputs) {
  return slipway_session_run_with(session, input_names, inputs, input_count, output_names,
                                  output_count, nullptr, outputs);
}

slipway_status slipway_session_run_with(slipway_session* session, const char* const* input_names,
                                        const slipway_value* const* inputs, size_t input_count,
                                        const char* const* output_names, size_t output_count,
                                        const slipway_run_options* options,
                                        slipway_value** outputs) {
  return Guarded([&]() -> Result<void> {
    if (session == nullptr || (outputs == nullptr && output_count > 0)) {
      return NullArgument("session or outputs");
    }
    const RunLimits limits = TRY(LimitsOf(options));
    const Feeds feeds = TRY(MakeFeeds(input_names, inputs, input_count));
    return RunSession(*session, feeds, output_names, output_count, limits, outputs);
  });
}

int64_t slipway_session_memory(const slipway_session* session) {
  return session == nullptr ? 0 : session->session->MemoryBytes();
}

const char* slipway_session_warning(const slipway_session* session) {
  return session == nullptr ? "" : session->warning.c_str();
}

slipway_status slipway_session_explain(slipway_session* session, const char* const* input_names,
                                       const slipway_value* const* inputs, size_t input_count,
                                       char** text) {
  return Guarded([&]() -> Result<void> {
    if (session == nullptr || text == nullptr) return NullArgument("session or text");
    const Feeds feeds = TRY(MakeFeeds(input_names, inputs, input_count));
    const std::string explained = TRY(session->session->Explain(feeds));
    *text = new char[explained.size() + 1];
    std::memcpy(*text, explained.c_str(), explained.size() + 1);
    return {};
  });
}

void slipway_session_release(slipway_session* session) {
  if (session == nullptr) return;
  slipway_status_release(Guarded([&] { return session->Save(); }));
  delete session;
}
