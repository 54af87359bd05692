// SPDX-License-Identifier: Apache-2.0
#pragma once

// What nearly every test includes. Of the classes that they use most, the code is in
// precompiled.cpp once: without optimisation it takes the compiler longer than the tests' own.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "base/json_precompiled.h"
#include "tests/support/json.h"

extern template class std::basic_string<char>;
extern template class std::vector<std::string>;
extern template class std::map<std::string, std::string>;
extern template class std::vector<nlohmann::json>;
extern template class std::map<std::string, nlohmann::json, std::less<>>;
extern template class nlohmann::basic_json<>;
