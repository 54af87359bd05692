// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <vector>

#include "base/result.h"
#include "imagebuilder/imagebuilder.h"

/// Shared libraries as files of an image.
namespace slipway::imagebuilder {

/// `x.so` or `x.so.1`
bool IsLibrary(const std::filesystem::path& path);

/// A library in kLibraryFolder under its own name; of a link, the file it leads to. kNotFound.
Result<FileEntry> LibraryEntry(const std::filesystem::path& library);

/// Adds what the libraries among `files` load, directly or not, and neither `program` nor `files`
/// bring. Errors are FindClosure's.
Result<void> AddLoadedLibraries(const std::filesystem::path& program,
                                std::vector<FileEntry>& files);

}  // namespace slipway::imagebuilder
