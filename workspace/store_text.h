// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "deployer/deployment.h"
#include "workspace/api.h"
#include "workspace/store.h"

/// How values are written into columns, and places in a list into opaque text.
namespace slipway::workspace {

/// Member of an image's details that holds its ImageOrigin.
inline constexpr std::string_view kOriginMember = "origin";

std::string TextMapToColumn(const api::TextMap& map);
api::TextMap TextMapFromColumn(const std::string& column);
std::vector<std::string> KeysOf(const api::TextMap& map);

std::string DeploymentToColumn(const deployer::Deployment& deployment);
/// The target's usual one where the column cannot be read.
deployer::Deployment DeploymentFromColumn(const std::string& column, std::string_view target);

/// An etag for one state of an object.
std::string MakeEtag(std::string_view object, std::string_view created_time, std::int64_t change);

/// Where the next page begins: below that sequence number.
std::string EncodeNext(std::int64_t seq);
/// Of an empty text: above every sequence number. kInvalidArgument (id `Request.Invalid`).
Result<std::int64_t> DecodeNext(const std::string& next);

/// The page that `rows` begin with; they were read with one more than the page may have.
template <class T>
Page<T> CutPage(std::vector<std::pair<std::int64_t, T>> rows, const PageRequest& request) {
  Page<T> page;
  const auto limit = static_cast<std::size_t>(request.limit);
  if (rows.size() > limit) {
    page.next = EncodeNext(rows[limit - 1].first);
    rows.resize(limit);
  }
  for (auto& row : rows) page.items.push_back(std::move(row.second));
  return page;
}

}  // namespace slipway::workspace
