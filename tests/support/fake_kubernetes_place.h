// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "base/http/http.h"
#include "tests/support/fake_kubernetes.h"

namespace slipway::testing {

/// Whether an object has the labels of a selector: `a=b,c=d`.
bool KubeLabelsMatch(const nlohmann::json& object, const std::string& selector);
/// The same for its fields: `involvedObject.kind=Pod,type=Warning`.
bool KubeFieldsMatch(const nlohmann::json& object, const std::string& selector);

http::Response KubeJsonAnswer(int status, const nlohmann::json& body);
nlohmann::json KubeStatus(int code, const std::string& reason, const std::string& message,
                          nlohmann::json details = nlohmann::json::object());
http::Response KubeStatusAnswer(int code, const std::string& reason, const std::string& message,
                                nlohmann::json details = nlohmann::json::object());

/// A request's path taken apart.
struct FakeKubernetes::Place {
  std::string api = {}, name_space = {}, plural = {}, name = {}, subresource = {};
  http::Target target;
  std::string Collection() const {
    return (api == "v1" ? "/api/v1" : "/apis/" + api) + "/namespaces/" + name_space + "/" + plural;
  }
  std::string Path() const { return Collection() + "/" + name; }
  std::string Query(const char* key) const { return target.Query(key); }
};

}  // namespace slipway::testing
