// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/http/client.h"
#include "base/result.h"
#include "imagebuilder/distribution.h"
#include "imagebuilder/distribution_auth.h"

namespace slipway::imagebuilder {

/// Error of an answer that is not what was hoped for, from the registry's own words.
Error RegistryError(std::string_view doing, const http::Response& response);

/// Requests to one repository of a registry, each with the credentials that the registry asks for.
/// Credentials go to the registry's own origin and to its token service, never elsewhere. Not
/// thread-safe.
class RegistrySession {
 public:
  RegistrySession(RegistryReference reference, RegistryOptions options, Clock& clock);

  const RegistryReference& reference() const { return reference_; }
  const RegistryOptions& options() const { return options_; }
  /// `https://HOST/v2/NAME` and `path`.
  std::string Url(std::string_view path) const;

  struct Call {
    std::string method = "GET", url;
    http::Headers headers = {};
    std::string body = {};
    std::int64_t body_size = -1;
    /// Makes the body anew for each time that it is sent; empty: `body`.
    std::function<Result<std::shared_ptr<http::Reader>>()> reader = {};
    const http::Sink* sink = nullptr;
  };
  /// Follows the redirects of a GET or HEAD. `actions` is `pull` or `pull,push`.
  Result<http::Response> Send(std::string_view doing, std::string_view actions, const Call& call);
  /// Sleeps between tries, unless the work was cancelled (id `Image.Cancelled`).
  Result<void> Pause(int number);
  Result<void> CheckCancelled() const;

 private:
  Result<http::Response> SendOnce(std::string_view doing, const Call& call);
  /// Takes what the registry's 401 asks for; false if there is nothing to try.
  Result<bool> Authorize(std::string_view doing, std::string_view actions,
                         const http::Response& refused);
  Result<std::string> FetchToken(std::string_view doing, std::string_view actions,
                                 const Challenge& challenge);
  http::Request TokenRequest(const Challenge& challenge, const std::string& scope) const;

  const RegistryReference reference_;
  const RegistryOptions options_;
  Clock& clock_;
  const std::unique_ptr<http::Client> client_;
  const std::string base_;
  std::string authorization_;
};

}  // namespace slipway::imagebuilder
