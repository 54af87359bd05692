// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "cli/context.h"

namespace slipway::cli {

/// How an image's own server is started on this machine.
struct ServedImage {
  std::vector<std::string> command;      ///< program and arguments
  std::vector<std::string> environment;  ///< `NAME=value`
  std::filesystem::path folder;          ///< to start it in
};

/// An image that `slipway serve` was given: an OCI layout or archive by its path, else one of the
/// workspace by its name.
struct GivenImage {
  std::filesystem::path place = {};
  std::string name = {};
};

/// Whether that is an image: a path to a tar or to a folder with an `index.json`, or, where no such
/// file is, `NAME[:VERSION]`. Nothing for what else it may be.
std::optional<GivenImage> FindGivenImage(const std::filesystem::path& folder,
                                         const std::string& given);

/// Lays the image out in the cache folder, where it stays until others were used later; one of the
/// workspace is downloaded unless it is there. kNotFound, and what reading a foreign image gives
/// (`Image.Archive`, `Image.Damaged`, `Image.NotServable`).
Result<ServedImage> LayOutImage(Context& context, const GivenImage& image);

}  // namespace slipway::cli
