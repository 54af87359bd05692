// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/digest.h"
#include "base/http/client.h"
#include "base/json.h"
#include "base/result.h"
#include "cli/settings.h"

namespace slipway::cli {

/// The workspace service over REST. A failing status becomes the Error that its body tells of.
/// Not thread-safe.
class Remote {
 public:
  Remote(Connection connection, Clock& clock);

  const Connection& connection() const { return connection_; }
  /// `/api/v1/workspaces/W` and `path`.
  std::string InWorkspace(std::string_view path) const;

  /// `path` begins with `/`. A body that is no JSON is kDataLoss; none gives null.
  Result<Json> Get(const std::string& path);
  Result<Json> Post(const std::string& path, const Json& body);
  Result<Json> Put(const std::string& path, const Json& body);
  Result<Json> Patch(const std::string& path, const Json& body);
  Result<Json> Delete(const std::string& path);
  /// All pages of a list, one after the other; `path` may have a query.
  Result<Json> List(const std::string& path);
  /// The body as it comes.
  Result<std::string> GetText(const std::string& path);
  Result<std::string> PostText(const std::string& path, std::string body,
                               std::string_view content_type);
  /// Streams the body into `sink`.
  Result<void> Download(const std::string& path, const http::Sink& sink);
  /// Uploads a file as a blob, unless the service has it.
  Result<void> UploadBlob(const Digest& digest, const std::filesystem::path& file,
                          std::int64_t size);

 private:
  Result<http::Response> Send(std::string_view method, const std::string& path,
                              const std::string& body);
  Result<Json> Call(std::string_view method, const std::string& path, const Json* body);
  http::Request MakeRequest(std::string_view method, const std::string& path) const;

  Connection connection_;
  std::unique_ptr<http::Client> client_;
};

/// `name[:version]`; the version is `latest` where there is none.
struct VersionedName {
  std::string name, version;
};
/// kInvalidArgument (id `Usage`) for an empty part.
Result<VersionedName> ParseVersionedName(std::string_view text);

/// The same, of which the version must be there.
Result<VersionedName> ParseExactVersion(std::string_view text);

/// `/models/NAME/versions/VERSION` with its parts encoded; `collection` is `models`, `images`.
std::string VersionPath(std::string_view collection, const VersionedName& name);

/// A query string from names and values, empty values left out; with its `?`.
std::string Query(const std::vector<std::pair<std::string, std::string>>& fields);

}  // namespace slipway::cli
