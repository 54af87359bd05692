// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/http/http.h"
#include "base/json.h"
#include "base/result.h"
#include "workspace/api.h"
#include "workspace/route.h"
#include "workspace/store.h"

/// What routes read requests and write responses with.
namespace slipway::workspace {

/// The request's body as a value. kInvalidArgument (id `Request.Invalid`).
template <class T>
Result<T> ReadBody(const Call& call) {
  return api::Read<T>(call.request.body);
}

/// `limit` and `next` of the query. kInvalidArgument (id `Request.Invalid`).
Result<PageRequest> ReadPage(const Call& call);
/// A query parameter that is a number. kInvalidArgument (id `Request.Invalid`).
Result<std::int64_t> ReadNumber(const Call& call, std::string_view name, std::int64_t fallback);
/// `{name}` and `{v}` of the path; `latest` is version 0.
Result<VersionedName> ReadVersion(const Call& call);

/// An object, with its etag as a header too.
http::Response ObjectResponse(int status, const Json& object);
/// `{"items": […], "next": "…"}`.
http::Response ListResponse(std::vector<Json> items, const std::string& next);
template <class T>
http::Response PageResponse(const Page<T>& page) {
  std::vector<decltype(ToJson(std::declval<T>()))> items;
  for (const T& item : page.items) items.push_back(ToJson(item));
  return ListResponse(std::move(items), page.next);
}
/// 202 with `Operation-Location`.
http::Response AcceptedResponse(const api::Operation& operation);
http::Response NoContent();

/// A file, or the part of it that the Range header of the request asks for. kInvalidArgument (id
/// `Blob.Range`) when it begins behind the end. Source: RFC 9110 section 14.
struct FileResponseOptions {
  std::string content_type = "application/octet-stream";
  std::string etag = {};
  bool remove_after = false;  ///< the file goes when it has been sent
};
Result<http::Response> FileResponse(const Call& call, const std::filesystem::path& file,
                                    const FileResponseOptions& options);

}  // namespace slipway::workspace
