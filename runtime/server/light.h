// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>

#include "base/result.h"
#include "runtime/runtime.h"
#include "runtime/tuning.h"

namespace slipway::server {

/// A session on one thread, for requests so small that several threads would mostly wait for each
/// other. There is none for models that have no such requests.
struct LightSession {
  std::unique_ptr<runtime::Session> session;
  std::int64_t elements_max = 0;  ///< of all inputs together, of a request that is small
};

/// Tries the model on one thread with inputs of the least size it takes, for some milliseconds at
/// most. `options`: of the session for all other requests. `measured`, or null: the choices of
/// kernels there are.
LightSession MakeLight(const runtime::Model& model, runtime::SessionOptions options,
                       const std::shared_ptr<runtime::MeasuredKernels>& measured = nullptr);

/// Elements of all tensors among the feeds; -1 where there is something else.
std::int64_t ElementsOf(const runtime::Feeds& feeds);

}  // namespace slipway::server
