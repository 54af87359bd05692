// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/http/server.h"
#include "base/json.h"
#include "tests/support/swagger.h"

namespace slipway::testing {

/// Azure Resource Manager's container groups and its login, in this program. Refuses a request that
/// the published strict schema refuses, where that is at hand. A group's container is an HTTP
/// server on 127.0.0.N; what it does is in its environment: `FAKE=ok`, `exit:N`, `crash`, `oom`,
/// `pull`, `wrong`, `pending`; it answers `SAY`. Thread-safe.
class FakeAzure {
 public:
  FakeAzure();
  ~FakeAzure();

  std::string url() const;
  bool has_schema() const { return schema_.has_value(); }
  struct Fault {
    int status = 500;
    std::string code = {}, message = {};
    int times = 1'000'000;
    std::string retry_after = {};
  };
  /// The next requests of that method (`PUT`, `LOGIN`) get this answer.
  void Break(const std::string& method, Fault fault);
  /// What the making of a group ends with.
  void FailOperations(std::string code, std::string message);
  void ExpireTokens();

  std::vector<std::string> violations() const;
  std::vector<std::string> groups() const;
  Json body_of(const std::string& group) const;
  std::int64_t count(const std::string& method) const;

 private:
  struct Group;
  http::Response Handle(http::Request& request);
  http::Response LogIn(const http::Request& request);
  http::Response Manage(const http::Request& request, const http::Target& target);
  http::Response Put(const std::string& name, const http::Request& request);
  http::Response Show(const Group& group) const;
  std::optional<http::Response> Faulty(const std::string& method);

  std::optional<Swagger> schema_;
  mutable std::mutex mutex_;  // guards what follows
  std::map<std::string, Fault> faults_;
  std::map<std::string, std::int64_t> counts_;
  std::map<std::string, std::unique_ptr<Group>> groups_;
  std::set<std::string> tokens_;
  std::vector<std::string> violations_;
  std::string operation_code_, operation_message_;
  int logins_ = 0, made_ = 0;
  std::unique_ptr<http::Server> server_;
};

}  // namespace slipway::testing
