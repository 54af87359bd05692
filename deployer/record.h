// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include "base/json.h"
#include "base/result.h"
#include "deployer/deployer.h"

/// The files in which targets remember their services from one program to the next.
namespace slipway::deployer {

/// A file name of which no two services have the same.
std::string RecordStem(const ServiceKey& key);

/// Hands a record's JSON to `read`, which may throw what nlohmann/json throws. kDataLoss (id
/// `Service.RecordDamaged`) where the text is no JSON or `read` does not find what it wants.
Result<void> ReadRecord(std::string_view text, const std::function<void(const Json&)>& read);

/// Hands every record that an earlier program left in `folder`, which is made where there is none,
/// to `adopt`. One that cannot be read or adopted is skipped, and the log says why.
Result<void> AdoptRecords(const std::filesystem::path& folder,
                          const std::function<Result<void>(const std::filesystem::path& file,
                                                           const std::string& text)>& adopt);

}  // namespace slipway::deployer
