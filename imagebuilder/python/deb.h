// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "base/result.h"
#include "imagebuilder/python/tree_writer.h"

namespace slipway::imagebuilder {

/// Unpacks a Debian package into a tree with merged /usr, without its scripts and without what a
/// server never reads (manuals, translations); copyright files stay. Its control file goes to
/// `/var/lib/dpkg/status.d/<name>`, where scanners look. kDataLoss (id `Image.Package`).
/// Source: deb(5).
Result<void> UnpackDeb(const std::filesystem::path& file, std::string_view name, TreeWriter& tree);

/// Where a package's path lies with merged /usr; empty: it is left out.
std::string PlaceInTree(std::string_view path);

}  // namespace slipway::imagebuilder
