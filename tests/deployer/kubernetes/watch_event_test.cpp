// SPDX-License-Identifier: Apache-2.0
#include "deployer/kubernetes/watch_event.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "deployer/kubernetes/json.h"

namespace slipway::deployer {
namespace {

using ::testing::ElementsAre;
using Type = KubeEvent::Type;

/// From kubernetes.io, API concepts.
constexpr const char* kStream =
    R"({"type":"ADDED","object":{"kind":"Pod","apiVersion":"v1","metadata":{"resourceVersion":"10596","name":"a"}}})"
    "\n"
    R"({"type":"MODIFIED","object":{"kind":"Pod","apiVersion":"v1","metadata":{"resourceVersion":"11020","name":"b"}}})"
    "\n"
    R"({"type":"DELETED","object":{"kind":"Pod","apiVersion":"v1","metadata":{"resourceVersion":"11021","name":"a"}}})"
    "\n\r\n"
    R"({"type":"BOOKMARK","object":{"kind":"Pod","apiVersion":"v1","metadata":{"resourceVersion":"12746","creationTimestamp":null}}})"
    "\n"
    R"({"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired"}})"
    "\n";

/// What comes of the text when it arrives in pieces of that size.
std::vector<Type> TypesOf(std::string_view text, std::size_t piece) {
  std::vector<Type> types;
  KubeEventLines lines([&types](const KubeEvent& event) -> Result<void> {
    types.push_back(event.type);
    return {};
  });
  for (std::size_t at = 0; at < text.size(); at += piece) {
    EXPECT_TRUE(lines.Add(std::as_bytes(std::span(text.substr(at, piece)))));
  }
  return types;
}

TEST(KubernetesWatchEvent, EventsAreTheSameHoweverTheyArrive) {
  const std::string_view text = kStream;
  for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, std::size_t{100}, text.size()}) {
    EXPECT_THAT(TypesOf(text, piece),
                ElementsAre(Type::kPut, Type::kPut, Type::kDeleted, Type::kBookmark, Type::kError))
        << piece;
  }
  EXPECT_TRUE(TypesOf(text.substr(0, 60), 5).empty()) << "half an event is none";
}

TEST(KubernetesWatchEvent, WhatNoServerSendsIsRefused) {
  for (const char* line :
       {"", "x", "[]", "3", R"({"type":"ADDED"})", R"({"type":"ADDED","object":[]})",
        R"({"type":"ADDED","object":{"metadata":{"resourceVersion":"1"}}})",
        R"({"type":"ADDED","object":{"metadata":{"name":"a"}}})",
        R"({"type":"DELETED","object":{"metadata":{"name":3,"resourceVersion":"1"}}})",
        R"({"type":"BOOKMARK","object":{"metadata":{}}})",
        R"({"type":"BOOKMARK","object":{"metadata":{"resourceVersion":7}}})",
        R"({"type":"SURPRISE","object":{"metadata":{"name":"a","resourceVersion":"1"}}})",
        R"({"type":7,"object":{}})", "{\"type\":\"ERROR\",\"object\":\"\xff\"}"}) {
    const auto event = ParseKubeEvent(line);
    ASSERT_FALSE(event) << line;
    EXPECT_EQ(event.error().id, "Watch.Malformed") << line;
  }
  std::string nested = R"({"type":"ADDED","object":)" + std::string(100'000, '[');
  EXPECT_EQ(ParseKubeEvent(nested).error().id, "Watch.Malformed");
}

TEST(KubernetesWatchEvent, ALineHasABound) {
  KubeEventLines lines([](const KubeEvent&) -> Result<void> { return {}; });
  const std::string block(1 << 20, 'x');
  Result<void> added;
  for (int i = 0; i < 64 && added; ++i) added = lines.Add(std::as_bytes(std::span(block)));
  ASSERT_FALSE(added);
  EXPECT_EQ(added.error().id, "Watch.Malformed");
}

TEST(KubernetesWatchEvent, AnErrorOfTheTakerEndsIt) {
  int taken = 0;
  KubeEventLines lines([&taken](const KubeEvent&) -> Result<void> {
    ++taken;
    return Error{.code = Code::kUnavailable, .message = "enough"};
  });
  EXPECT_EQ(lines.Add(std::as_bytes(std::span(std::string_view(kStream)))).error().message,
            "enough");
  EXPECT_EQ(taken, 1);
}

TEST(KubernetesWatchEvent, VersionsThatAreNumbersHaveAnOrderOthersHaveNone) {
  EXPECT_TRUE(KubeIsAtLeast("100", "99"));
  EXPECT_TRUE(KubeIsAtLeast("100", "100"));
  EXPECT_FALSE(KubeIsAtLeast("99", "100"));
  EXPECT_TRUE(KubeIsAtLeast("18446744073709551616", "18446744073709551615"));
  EXPECT_TRUE(KubeIsAtLeast("abc", "abc"));
  EXPECT_FALSE(KubeIsAtLeast("abd", "abc"));
  EXPECT_FALSE(KubeIsAtLeast("", "1"));
  EXPECT_FALSE(KubeIsAtLeast("2", ""));
}

}  // namespace
}  // namespace slipway::deployer
