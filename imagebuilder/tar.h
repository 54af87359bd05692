// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>

#include "base/result.h"
#include "imagebuilder/imagebuilder.h"

namespace slipway::imagebuilder {

/// Takes bytes in order.
using ByteSink = std::function<Result<void>(std::span<const std::byte>)>;

/// One member of a tar archive; owner, group and times are always 0.
struct TarMember {
  std::string path;  ///< relative, without a slash at its end
  FileEntry::Kind kind = FileEntry::Kind::kFile;
  unsigned mode = 0644;
  std::int64_t size = 0;  ///< of a file
  std::string link_target = {};
};

/// The blocks before a member's content: a ustar header, after a PAX one where the path or the
/// link's target is long or not ASCII, or the size does not fit. Source: POSIX.1-2017, pax.
std::string TarHeader(const TarMember& member);

/// Header, content and padding of a member.
std::int64_t TarMemberBytes(const TarMember& member);

/// Zeros that fill a content of `size` bytes up to whole blocks.
std::span<const std::byte> TarPadding(std::int64_t size);

/// The two empty blocks that end an archive.
std::span<const std::byte> TarEnd();

}  // namespace slipway::imagebuilder
