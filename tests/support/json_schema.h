// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace slipway::testing {

/// What is wrong with `value` by a JSON Schema of draft 7, as `spec.replicas: is no integer`; empty
/// if nothing is. Of the vocabulary, what published Kubernetes schemas use; a keyword beyond it is
/// told as wrong, so that nothing goes unchecked.
std::string SchemaError(const nlohmann::json& schema, const nlohmann::json& value);

}  // namespace slipway::testing
