// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <mutex>
#include <set>
#include <string>
#include <utility>

namespace slipway::workspace {

/// Images that an operation is about to deploy, while no row of a service names them yet. Taken
/// and asked for inside transactions, which one after the other. Thread-safe.
class ImageHolds {
 public:
  /// Holds an image until the object goes. Move-only; the ImageHolds must outlive it.
  class Hold {
   public:
    Hold() = default;
    Hold(ImageHolds& holds, std::string image) : holds_(&holds), image_(std::move(image)) {
      const std::lock_guard lock(holds.mutex_);
      holds.images_.insert(image_);
    }
    Hold(Hold&& other) noexcept { *this = std::move(other); }
    Hold& operator=(Hold&& other) noexcept {
      Release();
      holds_ = std::exchange(other.holds_, nullptr);
      image_ = std::move(other.image_);
      return *this;
    }
    Hold(const Hold&) = delete;
    Hold& operator=(const Hold&) = delete;
    ~Hold() { Release(); }

   private:
    void Release() {
      if (holds_ == nullptr) return;
      const std::lock_guard lock(holds_->mutex_);
      holds_->images_.erase(holds_->images_.find(image_));
      holds_ = nullptr;
    }
    ImageHolds* holds_ = nullptr;
    std::string image_;
  };

  ImageHolds() = default;
  ImageHolds(const ImageHolds&) = delete;
  ImageHolds& operator=(const ImageHolds&) = delete;

  /// `id` is `name:version`.
  Hold Take(const std::string& workspace, const std::string& id) {
    return Hold(*this, workspace + "/" + id);
  }
  bool IsHeld(const std::string& workspace, const std::string& id) const {
    const std::lock_guard lock(mutex_);
    return images_.contains(workspace + "/" + id);
  }

 private:
  mutable std::mutex mutex_;  // guards images_
  std::multiset<std::string> images_;
};

}  // namespace slipway::workspace
