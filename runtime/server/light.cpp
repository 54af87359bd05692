// SPDX-License-Identifier: Apache-2.0
#include "runtime/server/light.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <optional>
#include <utility>

namespace slipway::server {
namespace {

using Steady = std::chrono::steady_clock;

constexpr std::int64_t kWeightBytesMax = 4 << 20;
/// What a run on one thread may take before more threads are worth their waking.
constexpr Steady::duration kLightRun = std::chrono::microseconds(100);
constexpr Steady::duration kTrialTime = std::chrono::milliseconds(50);
constexpr int kTrials = 3;

/// Zeros for every input, with one item where a dimension is not declared.
std::optional<runtime::Feeds> LeastFeeds(const runtime::Model& model) {
  runtime::Feeds feeds;
  for (const runtime::ValueInfo& input : model.inputs()) {
    const runtime::TypeInfo& type = input.type;
    const bool fits = type.kind == runtime::TypeInfo::Kind::kTensor && type.shape &&
                      type.dtype != runtime::DType::kString;
    if (!fits) return std::nullopt;
    runtime::Shape shape = *type.shape;
    std::replace_if(
        shape.begin(), shape.end(), [](std::int64_t dim) { return dim < 0; }, 1);
    auto tensor = runtime::Tensor::Make(type.dtype, std::move(shape));
    if (!tensor) return std::nullopt;
    std::memset(tensor->raw(), 0, static_cast<std::size_t>(tensor->bytes()));
    feeds.emplace_back(input.name, *std::move(tensor));
  }
  return feeds;
}

/// The shortest of some runs; nothing if one fails.
std::optional<Steady::duration> RunTime(runtime::Session& session, const runtime::Feeds& feeds) {
  const runtime::RunLimits limits{.deadline = Steady::now() + kTrialTime};
  Steady::duration least = kTrialTime;
  for (int i = 0; i < kTrials; ++i) {
    const auto began = Steady::now();
    if (!session.Run(feeds, {}, limits)) return std::nullopt;
    least = std::min(least, Steady::now() - began);
  }
  return least;
}

}  // namespace

LightSession MakeLight(const runtime::Model& model, runtime::SessionOptions options,
                       const std::shared_ptr<runtime::MeasuredKernels>& measured) {
  if (options.threads == 1 || model.info().parameter_bytes > kWeightBytesMax) return {};
  const std::optional<runtime::Feeds> feeds = LeastFeeds(model);
  if (!feeds) return {};
  options.threads = 1;
  auto session = runtime::CreateSession(model, options, {.measured = measured},
                                        {.deadline = Steady::now() + kTrialTime});
  if (!session) return {};
  const std::optional<Steady::duration> took = RunTime(**session, *feeds);
  if (!took || *took > kLightRun) return {};
  LightSession light;
  light.session = *std::move(session);
  light.elements_max = ElementsOf(*feeds) * (kLightRun / std::max(*took, Steady::duration(1)));
  return light;
}

std::int64_t ElementsOf(const runtime::Feeds& feeds) {
  std::int64_t elements = 0;
  for (const auto& [name, value] : feeds) {
    const runtime::Tensor* tensor = value.tensor();
    if (tensor == nullptr) return -1;
    elements += tensor->size();
  }
  return elements;
}

}  // namespace slipway::server
