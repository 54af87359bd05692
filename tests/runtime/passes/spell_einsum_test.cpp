// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "tests/runtime/passes/run_with.h"
#include "tests/runtime/tiny_model.h"

namespace slipway::runtime {
namespace {

constexpr float kError = 2e-5F;

std::string Einsum(const std::string& equation, std::size_t inputs) {
  tiny::Texts names;
  std::vector<tiny::Port> ports;
  for (std::size_t i = 0; i < inputs; ++i) {
    names.push_back("x" + std::to_string(i));
    ports.push_back({names.back(), DType::kFloat32, {}});
  }
  const tiny::Node node{"Einsum", names, {"y"}, {{"equation", equation}}};
  return tiny::ModelOf(tiny::GraphOf({node}, ports, {{"y"}}), 12);
}

void ExpectSpelt(const std::string& equation, const std::vector<Shape>& shapes,
                 std::int64_t count = 1) {
  SCOPED_TRACE(equation);
  Feeds feeds;
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    feeds.emplace_back("x" + std::to_string(i), Random(shapes[i], static_cast<std::uint32_t>(i)));
  }
  ExpectPass(Einsum(equation, shapes.size()), feeds, "spell_einsum", count, kError);
}

TEST(SpellEinsum, WritesWhatExportersDo) {
  ExpectSpelt("bhid,bhjd->bhij", {{2, 3, 5, 8}, {2, 3, 7, 8}});
  ExpectSpelt("bhij,bhjd->bihd", {{2, 3, 5, 7}, {2, 3, 7, 8}});
  ExpectSpelt("bnd,hde->bhne", {{2, 5, 6}, {4, 6, 3}});
  ExpectSpelt("bhnm,bmd->bhnd", {{2, 4, 5, 7}, {2, 7, 3}});
  ExpectSpelt("bikc,bjkc->bijc", {{2, 5, 6, 4}, {2, 7, 6, 4}});
  ExpectSpelt("bsic,bsjd->bijcd", {{2, 3, 5, 4}, {2, 3, 7, 2}});
  ExpectSpelt("ijk,k->ij", {{3, 4, 5}, {5}});
  ExpectSpelt("k,ijk->ij", {{5}, {3, 4, 5}});
  ExpectSpelt("kij,k->ij", {{5, 3, 4}, {5}});
  ExpectSpelt("k,kij->ij", {{5}, {5, 3, 4}});
  ExpectSpelt("bij,bj->bi", {{2, 3, 4}, {2, 4}});
  ExpectSpelt("bhnd,bhdm,bhn->bhnm", {{2, 3, 5, 4}, {2, 3, 4, 6}, {2, 3, 5}});
}

TEST(SpellEinsum, WritesWhatHasNoSumOrOneTerm) {
  ExpectSpelt("i,j->ij", {{3}, {4}});
  ExpectSpelt("bld,bln->bldn", {{2, 3, 4}, {2, 3, 5}});
  ExpectSpelt("ab,ab->ab", {{3, 4}, {3, 4}});
  ExpectSpelt("i,i->", {{9}, {9}});
  ExpectSpelt("ij->ji", {{3, 4}});
  ExpectSpelt("ijk->ki", {{3, 4, 5}});
  ExpectSpelt("ij->ij", {{3, 4}});
  ExpectSpelt("ij->", {{3, 4}});
}

TEST(SpellEinsum, WritesEllipsesAndWhatIsImplied) {
  ExpectSpelt("...ij,jk->...ik", {{2, 3, 4, 5}, {5, 6}});
  ExpectSpelt("...ij,...jk", {{2, 1, 4, 5}, {3, 5, 6}});
  ExpectSpelt("ij,jk", {{4, 5}, {5, 6}});
  ExpectSpelt("a...,...b->ab...", {{3, 1}, {4, 5}});
}

TEST(SpellEinsum, LeavesDiagonalsAndTheEmpty) {
  ExpectSpelt("bii->b", {{2, 4, 4}}, 0);
  ExpectSpelt("ii,ij->j", {{4, 4}, {4, 3}}, 0);
  ExpectSpelt("ij,jk->ik", {{3, 0}, {0, 4}}, 0);
  ExpectSpelt("ij,jk->ik", {{0, 3}, {3, 4}}, 0);
}

/// Any equation of up to three terms; axes of one element are broadcast, or are not.
TEST(SpellEinsum, WritesAnyEquation) {
  std::mt19937 random(7);
  const auto pick = [&](std::size_t below) {
    return std::uniform_int_distribution<std::size_t>(0, below - 1)(random);
  };
  for (int round = 0; round < 150; ++round) {
    constexpr std::array<std::int64_t, 4> kSizes = {1, 2, 3, 5};
    std::map<char, std::int64_t> sizes;
    for (const char name : {'a', 'b', 'c', 'd', 'e'}) sizes[name] = kSizes[pick(kSizes.size())];
    std::string equation, used;
    std::vector<Shape> shapes(1 + pick(3));
    for (Shape& shape : shapes) {
      std::string names = "abcde";
      std::ranges::shuffle(names, random);
      names.resize(pick(5));
      for (const char name : names) {
        shape.push_back(pick(8) == 0 ? 1 : sizes[name]);
        if (used.find(name) == std::string::npos) used += name;
      }
      equation += (equation.empty() && &shape == shapes.data() ? "" : ",") + names;
    }
    std::ranges::shuffle(used, random);
    used.resize(pick(used.size() + 1));
    ExpectSpelt(equation + "->" + used, shapes);
  }
}

}  // namespace
}  // namespace slipway::runtime
