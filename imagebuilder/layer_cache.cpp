// SPDX-License-Identifier: Apache-2.0
#include <sys/stat.h>
#include <time.h>

#include <cerrno>
#include <mutex>
#include <unordered_map>

#include "base/file.h"
#include "imagebuilder/imagebuilder.h"

namespace slipway::imagebuilder {
namespace {

/// File times advance in ticks: a later write within the same tick would go unseen.
constexpr std::int64_t kTickNs = 20'000'000;

std::int64_t Nanoseconds(const timespec& time) {
  return static_cast<std::int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
}

struct FileState {
  dev_t device = 0;
  ino_t inode = 0;
  off_t size = 0;
  std::int64_t modified_ns = 0, changed_ns = 0;
  bool operator==(const FileState&) const = default;
};

Result<FileState> StateOf(const std::filesystem::path& file) {
  struct stat facts {};
  if (::stat(file.c_str(), &facts) != 0) return SystemError(file.string(), errno);
  return FileState{.device = facts.st_dev,
                   .inode = facts.st_ino,
                   .size = facts.st_size,
                   .modified_ns = Nanoseconds(facts.st_mtim),
                   .changed_ns = Nanoseconds(facts.st_ctim)};
}

bool IsSettled(const FileState& state) {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return Nanoseconds(now) - state.changed_ns > kTickNs;
}

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
    const FileState before = TRY(StateOf(file));
    {
      const std::lock_guard lock(mutex_);
      const auto found = digests_.find(file.native());
      if (found != digests_.end() && found->second.state == before) return found->second.digest;
    }
    const Digest digest = TRY(Digest::OfFile(file));
    const FileState after = TRY(StateOf(file));
    if (before == after && IsSettled(after)) {
      const std::lock_guard lock(mutex_);
      digests_.insert_or_assign(file.native(), Known{.state = after, .digest = digest.text()});
    }
    return digest.text();
  }

 private:
  struct Known {
    FileState state;
    std::string digest;
  };
  std::mutex mutex_;  // guards layers_, digests_
  std::unordered_map<std::string, Layer> layers_;
  std::unordered_map<std::string, Known> digests_;
};

}  // namespace

std::unique_ptr<LayerCache> MakeMemoryLayerCache() { return std::make_unique<MemoryLayerCache>(); }

}  // namespace slipway::imagebuilder
