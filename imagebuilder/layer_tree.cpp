// SPDX-License-Identifier: Apache-2.0
#include "imagebuilder/layer_tree.h"

#include <system_error>
#include <utility>

#include "base/file.h"
#include "imagebuilder/errors.h"
#include "imagebuilder/extract.h"
#include "imagebuilder/tar_reader.h"
#include "imagebuilder/unpack.h"

namespace slipway::imagebuilder {
namespace {

constexpr std::size_t kPiecesWaiting = 8;

}  // namespace

LayerTree::LayerTree(TreePlaces places) : places_(std::move(places)) {
  try {
    thread_ = std::thread([this] { Extract(); });
  } catch (const std::system_error& failed) {
    result_ = SystemError("starting a thread", failed.code().value());
    done_ = true;
  }
}

LayerTree::~LayerTree() {
  Stop();
  if (!folder_.empty()) static_cast<void>(RemoveTree(folder_).has_value());
}

void LayerTree::Stop() {
  {
    const std::lock_guard lock(mutex_);
    dropped_ = dropped_ || !ended_;
    ended_ = true;
    changed_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

void LayerTree::Write(std::span<const std::byte> bytes) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return done_ || waiting_.size() < kPiecesWaiting; });
  if (done_) return;
  waiting_.emplace_back(bytes.begin(), bytes.end());
  changed_.notify_all();
}

Result<std::span<const std::byte>> LayerTree::Next() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return ended_ || !waiting_.empty(); });
  if (dropped_) return Cancelled();
  piece_.clear();
  if (!waiting_.empty()) {
    piece_ = std::move(waiting_.front());
    waiting_.pop_front();
  }
  changed_.notify_all();
  return std::span<const std::byte>(piece_);
}

Result<void> LayerTree::ExtractAll() {
  TRY(MakeFolders(places_.scratch));
  folder_ = TRY(MakeTempFolder(places_.scratch, "layer-"));
  TRY(MakeFolders(folder_ / "tree"));
  TarReader tar([this] { return Next(); });
  return ExtractLayer(tar, folder_ / "tree");
}

void LayerTree::Extract() {
  Result<void> extracted = ExtractAll();
  const std::lock_guard lock(mutex_);
  result_ = std::move(extracted);
  done_ = true;
  changed_.notify_all();
}

Result<void> LayerTree::Finish(const Layer& layer) {
  {
    const std::lock_guard lock(mutex_);
    ended_ = true;
    changed_.notify_all();
  }
  Stop();
  TRY(result_);
  return KeepLayerTree(layer, folder_, places_.shared);
}

}  // namespace slipway::imagebuilder
