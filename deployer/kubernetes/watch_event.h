// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>

#include "base/json.h"
#include "base/result.h"

namespace slipway::deployer {

/// What a watch tells of one object.
struct KubeEvent {
  enum class Type : std::uint8_t {
    kPut,       ///< it was made or changed
    kDeleted,   ///< as it was last
    kBookmark,  ///< nothing happened up to its resource version
    kError      ///< the object is a Status that says why the stream ends
  };
  Type type = Type::kBookmark;
  Json object = {};
};

/// One line of a watch. kDataLoss (id `Watch.Malformed`) for what no API server sends. Pure.
/// Source: kubernetes.io, API concepts, "Efficient detection of changes".
Result<KubeEvent> ParseKubeEvent(std::string_view line);

/// Cuts the bytes of a watch into its lines. Not thread-safe.
class KubeEventLines {
 public:
  using Take = std::function<Result<void>(KubeEvent)>;
  explicit KubeEventLines(Take take) : take_(std::move(take)) {}
  /// Hands on each event that is whole; the first error ends it. kDataLoss (id `Watch.Malformed`)
  /// also for a line longer than any object of an API server.
  Result<void> Add(std::span<const std::byte> bytes);

 private:
  const Take take_;
  std::string held_;
};

/// Whether resource version `have` is that of `want` or a later one. Versions that are no numbers
/// are only ever the same or not. Pure. Source: kubernetes.io, API concepts, "Resource versions".
bool KubeIsAtLeast(std::string_view have, std::string_view want);

}  // namespace slipway::deployer
