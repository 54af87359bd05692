// SPDX-License-Identifier: Apache-2.0
#include <mutex>
#include <unordered_map>

#include "imagebuilder/imagebuilder.h"

namespace slipway::imagebuilder {
namespace {

class MemoryLayerCache final : public LayerCache {
 public:
  std::optional<Layer> Find(const std::string& key) override {
    const std::lock_guard lock(mutex_);
    const auto found = layers_.find(key);
    if (found == layers_.end()) return std::nullopt;
    return found->second;
  }

  void Put(const std::string& key, const Layer& layer) override {
    const std::lock_guard lock(mutex_);
    layers_.insert_or_assign(key, layer);
  }

  Turns& turns() override { return turns_; }

 private:
  Turns turns_;
  std::mutex mutex_;  // guards layers_
  std::unordered_map<std::string, Layer> layers_;
};

}  // namespace

std::unique_ptr<LayerCache> MakeMemoryLayerCache() { return std::make_unique<MemoryLayerCache>(); }

}  // namespace slipway::imagebuilder
