// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/blob_store.h"
#include "base/digest.h"
#include "base/result.h"
#include "imagebuilder/imagebuilder.h"

namespace slipway::imagebuilder {

/// The part that no layer is: entrypoint, environment, labels.
inline constexpr std::string_view kSettingsPart = "settings";

/// An image and the store that its blobs are in; both outlive it.
struct StoredImage {
  const BlobStore& blobs;
  const Image& image;
};

/// A layer of one image beside that of another. The part `settings` is what both say of
/// themselves beyond layers: entrypoint, environment, labels.
struct PartComparison {
  enum class State : std::uint8_t {
    kSame,
    kRepacked,    ///< the same files, compressed to other bytes
    kDiffers,     ///< `difference` names the first file that does
    kFirstOnly,   ///< the second image has no such layer
    kSecondOnly,  ///< the first image has no such layer
  };
  std::string name;
  State state = State::kSame;
  std::string first, second;  ///< digests of the blobs; empty where there is none
  std::string difference = {};
};

/// Compares two images layer by layer; layers belong together by their names, in their order.
/// Blobs that are compared are verified: kDataLoss (id `Image.Damaged`, `Blob.Damaged`).
Result<std::vector<PartComparison>> CompareImages(const StoredImage& first,
                                                  const StoredImage& second);

/// Where the trees of two layers begin to differ, in one line; nothing where they are the same.
/// `second` is called "rebuilt".
Result<std::optional<std::string>> FirstDifference(const BlobStore& first_blobs, const Layer& first,
                                                   const BlobStore& second_blobs,
                                                   const Layer& second);

}  // namespace slipway::imagebuilder
