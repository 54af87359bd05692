// SPDX-License-Identifier: Apache-2.0
#include "imagebuilder/gzip.h"

#include <libdeflate.h>

#include <algorithm>
#include <system_error>
#include <thread>
#include <utility>

namespace slipway::imagebuilder {
namespace {

constexpr std::size_t kMemberBytes = std::size_t{1} << 20;
constexpr int kLevel = 1;

Error OutOfMemory() {
  return {.code = Code::kResourceExhausted, .message = "no memory left to compress with"};
}

Result<std::vector<std::byte>> CompressMember(const std::vector<std::byte>& block) {
  const std::unique_ptr<libdeflate_compressor, decltype(&libdeflate_free_compressor)> compressor(
      libdeflate_alloc_compressor(kLevel), libdeflate_free_compressor);
  if (!compressor) return OutOfMemory();
  std::vector<std::byte> member(libdeflate_gzip_compress_bound(compressor.get(), block.size()));
  const std::size_t size = libdeflate_gzip_compress(compressor.get(), block.data(), block.size(),
                                                    member.data(), member.size());
  if (size == 0) return OutOfMemory();
  member.resize(size);
  return member;
}

/// One more than cores, so that none waits while the oldest member is taken and a new one filled.
std::size_t MembersForCores() {
  return std::clamp<std::size_t>(std::thread::hardware_concurrency(), 1, 8) + 1;
}

}  // namespace

GzipWriter::GzipWriter(ByteSink sink, std::size_t members_max)
    : sink_(std::move(sink)), members_max_(members_max > 0 ? members_max : MembersForCores()) {
  block_.reserve(kMemberBytes);
}

GzipWriter::~GzipWriter() = default;

Result<void> GzipWriter::Write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const std::size_t part = std::min(bytes.size(), kMemberBytes - block_.size());
    block_.insert(block_.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(part));
    bytes = bytes.subspan(part);
    if (block_.size() == kMemberBytes) TRY(StartMember());
  }
  return {};
}

Result<void> GzipWriter::Finish() {
  if (!block_.empty() || empty_) TRY(StartMember());
  while (!members_.empty()) TRY(TakeMember());
  return {};
}

Result<void> GzipWriter::StartMember() {
  if (members_.size() >= members_max_) TRY(TakeMember());
  empty_ = false;
  auto block = std::make_shared<const Bytes>(std::exchange(block_, {}));
  block_.reserve(kMemberBytes);
  const auto compress = [block] { return CompressMember(*block); };
  try {
    members_.push_back(std::async(std::launch::async, compress));
  } catch (const std::system_error&) {
    members_.push_back(std::async(std::launch::deferred, compress));
  }
  return {};
}

Result<void> GzipWriter::TakeMember() {
  std::future<Result<Bytes>> next = std::move(members_.front());
  members_.pop_front();
  const Bytes member = TRY(next.get());
  return sink_(member);
}

}  // namespace slipway::imagebuilder
