// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/graph/signature.h"
#include "runtime/op.h"

namespace slipway::runtime {
namespace {

/// Has a schema alone: other nodes take its place where a graph is read.
constexpr std::string_view kReplaced = "ai.onnx.preview.training.Gradient";

/// Definitions by domain and type, oldest first.
std::map<std::string, std::vector<const OpDef*>> Definitions() {
  std::map<std::string, std::vector<const OpDef*>> all;
  for (const auto& unit : ops_table()) {
    for (const OpDef& op : unit.make())
      all[fmt::format("{}.{}", op.domain, op.type)].push_back(&op);
  }
  for (auto& [name, versions] : all) {
    std::ranges::sort(versions, {}, [](const OpDef* op) { return op->since; });
  }
  return all;
}

TEST(OpsTable, VersionsOfAnOperatorFollowEachOther) {
  for (const auto& [name, versions] : Definitions()) {
    for (std::size_t i = 0; i < versions.size(); ++i) {
      EXPECT_GE(versions[i]->since, 1) << name;
      EXPECT_LE(versions[i]->since, versions[i]->until) << name;
      if (i == 0) continue;
      EXPECT_EQ(versions[i]->since, versions[i - 1]->until + 1) << name;
    }
  }
}

TEST(OpsTable, SchemasParse) {
  for (const auto& [name, versions] : Definitions()) {
    for (const OpDef* op : versions) {
      const auto schema = ParseSchema(*op);
      EXPECT_TRUE(schema) << name << "-" << op->since << ": " << schema.error().message;
      EXPECT_EQ(op->infer == nullptr, name == kReplaced) << name << "-" << op->since;
      for (const TypeRule& rule : op->types) EXPECT_NE(rule.dtypes.bits, 0U) << name;
    }
  }
}

TEST(OpsTable, LaddersEndWithAKernelThatServesAll) {
  for (const auto& [name, versions] : Definitions()) {
    if (name == kReplaced) continue;
    for (const OpDef* op : versions) {
      ASSERT_FALSE(op->kernels.empty()) << name;
      EXPECT_EQ(op->kernels.back().declines, nullptr) << name << "-" << op->since;
      for (const Kernel& kernel : op->kernels) {
        EXPECT_FALSE(kernel.name.empty()) << name;
        EXPECT_NE(kernel.prepare == nullptr, kernel.run == nullptr) << name << " " << kernel.name;
      }
    }
  }
}

TEST(OpsTable, FindsTheDefinitionOfAVersion) {
  ASSERT_NE(FindOp("", "Clip", 6), nullptr);
  EXPECT_EQ(FindOp("", "Clip", 10)->since, 6);
  EXPECT_EQ(FindOp("", "Clip", 11)->since, 11);
  EXPECT_EQ(FindOp("", "Upsample", 10), nullptr);
  EXPECT_EQ(FindOp("", "NoSuchOperator", 13), nullptr);
  EXPECT_EQ(FindOp("com.example", "Relu", 13), nullptr);
}

}  // namespace
}  // namespace slipway::runtime
