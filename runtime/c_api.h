// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <atomic>
#include <cstring>
#include <exception>
#include <new>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "runtime/runtime.h"
#include "runtime/slipway.h"
#include "runtime/tuning.h"

/// What the opaque types of slipway.h are.
struct slipway_status_object {
  slipway::Error error;
  std::string id;
};

struct slipway_type {
  slipway::runtime::TypeInfo info;
  std::string text;
  std::vector<slipway_type> element;
};

namespace slipway::runtime {

/// Names and types of a model's inputs, say.
struct PortItems {
  std::vector<std::string> names;
  std::vector<slipway_type> types;
};

}  // namespace slipway::runtime

struct slipway_model {
  slipway::runtime::Model model;
  slipway::runtime::PortItems ports[3];
};

struct slipway_value {
  slipway::runtime::Value value;
};

struct slipway_cancel {
  std::atomic<bool> cancelled = false;
};

struct slipway_session : slipway::runtime::TunedSession {};

namespace slipway::runtime {

slipway_status MakeStatus(Error error) noexcept;

/// Runs `body`, a function that gives Result<void>; nothing gets past it.
template <class Body>
slipway_status Guarded(const Body& body) noexcept {
  try {
    Result<void> done = body();
    return done ? nullptr : MakeStatus(std::move(done).error());
  } catch (const std::bad_alloc&) {
    return MakeStatus({.code = Code::kResourceExhausted, .message = "out of memory"});
  } catch (const std::exception& error) {
    return MakeStatus({.code = Code::kInternal, .message = error.what()});
  }
}

/// A tensor over memory that somebody keeps. kInvalidArgument where the bytes are not as many as
/// the type and shape have.
Result<Tensor> WrapMemory(int32_t number, const int64_t* dims, size_t rank, void* data,
                          size_t bytes);

/// slipway_session_run over feeds. `memory`: for each output a tensor in which it is wanted or
/// nothing, or no item at all; an output that is written there has no value.
Result<void> RunSession(slipway_session& session, const Feeds& feeds,
                        const char* const* output_names, size_t output_count,
                        const RunLimits& limits, slipway_value** outputs,
                        std::span<const Value> memory = {});

/// A caller's options, with defaults for fields that it does not know; null: all defaults.
template <class Options>
Result<Options> KnownOptions(const Options* given) {
  Options known = {};
  if (given == nullptr) return known;
  if (given->struct_size < sizeof(size_t)) {
    return Error{.code = Code::kInvalidArgument, .message = "options: struct_size is not set"};
  }
  std::memcpy(&known, given, std::min(given->struct_size, sizeof(known)));
  return known;
}

/// kInvalidArgument for a negative deadline.
Result<RunLimits> LimitsOf(int64_t deadline_ms, const slipway_cancel* cancel);
Result<RunLimits> LimitsOf(const slipway_run_options* options);

/// Makes sessions usable in the child of a fork. Once for the process, whoever asks first.
void SurviveForks();

/// kInvalidArgument: a pointer that must not be null is.
Error NullArgument(std::string_view name);

}  // namespace slipway::runtime
