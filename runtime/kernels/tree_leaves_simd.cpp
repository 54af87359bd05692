// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/tree_leaves_simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "runtime/kernels/tree_leaves_simd.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
//
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace slipway::runtime::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;
using Tag = hn::CappedTag<float, 16>;
using Indices = hn::RebindToSigned<Tag>;

constexpr std::int64_t kLanes = hn::MaxLanes(Tag());

/// Leaves of some vectors of examples in every tree.
template <bool has_nan, int kVectors>
void Choose(const SmallForest& forest, const float* columns, std::int32_t* leaves) {
  constexpr std::int64_t kGroup = kVectors * kLanes;
  const Tag tag;
  const Indices indices;
  HWY_ALIGN std::int32_t chosen[kGroup * kMostLeaves * 2];
  for (std::int32_t leaf = 0; leaf < kMostLeaves; ++leaf) {
    for (int v = 0; v < kVectors; ++v) {
      hn::Store(hn::Set(indices, leaf), indices, chosen + leaf * kGroup + v * kLanes);
    }
  }
  const SmallBranch* branch = forest.branches;
  for (std::int64_t tree = 0; tree < forest.trees; ++tree, leaves += kExamplesAtOnce) {
    std::int32_t* to = chosen + kMostLeaves * kGroup;
    for (std::int32_t i = 0; i < forest.counts[tree]; ++i, ++branch, to += kGroup) {
      const float* const numbers = columns + branch->feature * kExamplesAtOnce;
      const std::int32_t* const left = chosen + branch->left * kGroup;
      const std::int32_t* const right = chosen + branch->right * kGroup;
      const auto threshold = hn::Set(tag, branch->threshold);
#pragma GCC unroll 2
      for (int v = 0; v < kVectors; ++v) {
        const auto x = hn::LoadU(tag, numbers + v * kLanes);
        auto goes_left = hn::Le(x, threshold);
        if (has_nan) {
          const auto nan_left = hn::BitCast(tag, hn::Set(indices, branch->nan_left));
          goes_left = hn::Or(goes_left, hn::And(hn::IsNaN(x), hn::MaskFromVec(nan_left)));
        }
        const auto next =
            hn::IfThenElse(hn::RebindMask(indices, goes_left), hn::Load(indices, left + v * kLanes),
                           hn::Load(indices, right + v * kLanes));
        hn::Store(next, indices, to + v * kLanes);
      }
    }
    for (int v = 0; v < kVectors; ++v) {
      const auto last = hn::Load(indices, to - kGroup + v * kLanes);
      hn::StoreU(last, indices, leaves + v * kLanes);
    }
  }
}

template <bool has_nan>
void ChooseAll(const SmallForest& forest, const float* columns, std::int64_t examples,
               std::int32_t* leaves) {
  std::int64_t first = 0;
  for (; first + kLanes < examples; first += 2 * kLanes) {
    Choose<has_nan, 2>(forest, columns + first, leaves + first);
  }
  for (; first < examples; first += kLanes) {
    Choose<has_nan, 1>(forest, columns + first, leaves + first);
  }
}

void LeavesOf(const SmallForest& forest, const float* columns, std::int64_t examples, bool has_nan,
              std::int32_t* leaves) {
  if (has_nan) {
    ChooseAll<true>(forest, columns, examples, leaves);
  } else {
    ChooseAll<false>(forest, columns, examples, leaves);
  }
}

}  // namespace
}  // namespace slipway::runtime::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace slipway::runtime {

HWY_EXPORT(LeavesOf);

void LeavesOf(const SmallForest& forest, const float* columns, std::int64_t examples, bool has_nan,
              std::int32_t* leaves) {
  HWY_DYNAMIC_DISPATCH(LeavesOf)(forest, columns, examples, has_nan, leaves);
}

}  // namespace slipway::runtime
#endif
