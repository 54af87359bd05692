// SPDX-License-Identifier: Apache-2.0
#include "runtime/device/packed_weights.h"

#include <cstring>
#include <set>

#include "runtime/stored_bytes.h"

namespace slipway::runtime {

Tensor PackedWeights::Entry::Take() const {
  auto owner = packed.lock();
  return owner ? Tensor::Wrap(dtype, shape, std::move(owner), data) : Tensor();
}

Tensor PackedWeights::FindEqual(const Tensor& packed, const std::string& layout,
                                const void* user) const {
  const auto size = static_cast<std::size_t>(packed.bytes());
  const auto [begin, end] = packed_.equal_range(layout);
  for (auto entry = begin; entry != end; ++entry) {
    if (entry->second.user == user) continue;
    Tensor other = entry->second.Take();
    const bool alike = other.dtype() == packed.dtype() && other.shape() == packed.shape();
    if (alike && std::memcmp(other.raw(), packed.raw(), size) == 0) return other;
  }
  return {};
}

Result<Tensor> PackedWeights::Get(const Tensor& source, const std::string& layout, const void* user,
                                  const std::function<Result<Tensor>()>& make) {
  const std::lock_guard lock(mutex_);
  std::erase_if(packed_, [](const auto& item) { return item.second.packed.expired(); });
  const auto [begin, end] = packed_.equal_range(layout);
  for (auto entry = begin; entry != end; ++entry) {
    const auto owner = entry->second.source.lock();
    if (owner == nullptr || entry->second.origin != source.raw()) continue;
    Tensor known = entry->second.Take();
    if (known.dtype() != DType::kUndefined) return known;
  }
  const Tensor there = TRY(StoredWeights::Keep(source));
  Tensor packed = TRY(make());
  if (Tensor other = FindEqual(packed, layout, user); other.dtype() != DType::kUndefined) {
    packed = std::move(other);
  }
  packed_.emplace(layout, Entry{.source = StoredWeights::Identity(source),
                                .packed = packed.owner(),
                                .dtype = packed.dtype(),
                                .shape = packed.shape(),
                                .data = packed.raw(),
                                .origin = source.raw(),
                                .user = user});
  return packed;
}

std::int64_t PackedWeights::bytes() const {
  const std::lock_guard lock(mutex_);
  std::set<const void*> seen;
  std::int64_t bytes = 0;
  for (const auto& [layout, entry] : packed_) {
    const Tensor packed = entry.Take();
    if (packed.dtype() != DType::kUndefined && seen.insert(packed.raw()).second) {
      bytes += packed.bytes();
    }
  }
  return bytes;
}

}  // namespace slipway::runtime
