// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/http/client.h"
#include "base/json.h"
#include "base/result.h"

namespace slipway::deployer {

/// How to reach Azure Resource Manager, and as whom: the operator's, never a caller's. Secrets in
/// it are not for logs.
struct AciAccess {
  std::string endpoint = "https://management.azure.com";
  std::string authority = "https://login.microsoftonline.com";
  std::string tenant = {}, client = {}, client_secret = {};
  std::string token = {};  ///< instead of the three above
  std::string subscription = {}, resource_group = {}, location = {};  ///< where none is named
};
/// From AZURE_TENANT_ID, AZURE_CLIENT_ID, AZURE_CLIENT_SECRET or AZURE_ACCESS_TOKEN,
/// AZURE_AUTHORITY_HOST, AZURE_SUBSCRIPTION_ID, SLIPWAY_ACI_ENDPOINT, SLIPWAY_ACI_RESOURCE_GROUP,
/// SLIPWAY_ACI_LOCATION.
AciAccess ReadAciAccess(const std::function<const char*(const char*)>& environment);

/// A cause for an answer of Resource Manager, or for the error that an operation of it ended with.
/// `code` and `message` are Azure's. Pure.
Error AciError(std::string_view doing, int status, std::string_view code, std::string_view message);

/// What an asynchronous operation has come to.
struct AciOperation {
  std::string status;  ///< `InProgress`, `Succeeded`, `Failed`, `Canceled`
  std::optional<Error> error = {};
};

/// Talks to Resource Manager. Thread-safe. Errors are causes of the table. Logs in by client
/// credentials when it needs to, again once where the token is refused. Source: RFC 6749 section
/// 4.4; ARM REST, "Track asynchronous Azure operations".
class AciClient {
 public:
  /// `clock` must outlive the client.
  AciClient(AciAccess access, Clock& clock);

  const AciAccess& access() const { return access_; }
  struct Call {
    std::string method, path, body = {};
    std::string doing;
  };
  /// The answer, whatever its status; tried again where Resource Manager asks for that.
  Result<http::Response> Send(const Call& call);
  /// The answer, if its status is one of success.
  Result<http::Response> Must(const Call& call);
  /// Where the operation of an answer can be followed; empty if it is done, or said elsewhere
  /// than at this endpoint.
  std::string OperationOf(const http::Response& response) const;
  Result<AciOperation> Follow(std::string_view doing, const std::string& operation);

 private:
  Result<std::string> Token();
  Result<std::string> LogIn();
  Result<http::Response> SendOnce(const Call& call);

  const AciAccess access_;
  Clock& clock_;
  const std::unique_ptr<http::Client> http_;
  std::mutex mutex_;  // guards what follows
  std::string token_;
  std::chrono::steady_clock::time_point token_until_{};
};

}  // namespace slipway::deployer
