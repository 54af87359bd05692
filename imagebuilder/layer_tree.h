// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <filesystem>
#include <memory>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

#include "base/result.h"
#include "imagebuilder/imagebuilder.h"

namespace slipway::imagebuilder {

/// A layer that is unpacked while it is packed, from the same bytes, on a thread of its own, so
/// that the first image with it finds it unpacked. A tree that cannot be made is no error of the
/// layer: it is left out, and Unpack makes it. Not thread-safe.
class LayerTree {
 public:
  /// The tree grows in a folder of its own below `places.scratch`.
  explicit LayerTree(TreePlaces places);
  ~LayerTree();
  LayerTree(const LayerTree&) = delete;
  LayerTree& operator=(const LayerTree&) = delete;
  /// The next bytes of the plain archive. Waits while many are not written yet.
  void Write(std::span<const std::byte> bytes);
  /// All bytes were given: puts the tree where Unpack looks for the layer. The error says why
  /// there is none.
  Result<void> Finish(const Layer& layer);

 private:
  void Extract();
  Result<void> ExtractAll();
  Result<std::span<const std::byte>> Next();
  void Stop();

  const TreePlaces places_;
  std::filesystem::path folder_;
  std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  std::deque<std::vector<std::byte>> waiting_;
  bool ended_ = false, dropped_ = false, done_ = false;
  Result<void> result_;
  std::vector<std::byte> piece_;  // of the thread alone
  std::thread thread_;
};

}  // namespace slipway::imagebuilder
