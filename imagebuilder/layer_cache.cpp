// SPDX-License-Identifier: Apache-2.0
#include <mutex>
#include <unordered_map>

#include "imagebuilder/file_state.h"
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

  Result<std::string> FileDigest(const std::filesystem::path& file) override {
    const Turns::Turn turn = TRY(turns_.Take("file " + file.native(), {}));
    const FileState before = TRY(StateOf(file));
    {
      const std::lock_guard lock(mutex_);
      const auto found = digests_.find(file.native());
      if (found != digests_.end() && found->second.state == before) return found->second.digest;
    }
    const StatedDigest read = TRY(DigestOf(file, before));
    const std::string digest = read.digest.text();
    if (read.state) {
      const std::lock_guard lock(mutex_);
      digests_.insert_or_assign(file.native(), Known{.state = *read.state, .digest = digest});
    }
    return digest;
  }

  Turns& turns() override { return turns_; }

 private:
  struct Known {
    FileState state;
    std::string digest;
  };
  Turns turns_;
  std::mutex mutex_;  // guards layers_, digests_
  std::unordered_map<std::string, Layer> layers_;
  std::unordered_map<std::string, Known> digests_;
};

}  // namespace

std::unique_ptr<LayerCache> MakeMemoryLayerCache() { return std::make_unique<MemoryLayerCache>(); }

}  // namespace slipway::imagebuilder
