// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"
#include "imagebuilder/python/command.h"
#include "imagebuilder/python/lock.h"

namespace slipway::imagebuilder {

/// Words that start the Python of an unpacked root from outside, with the root's own loader and
/// libraries.
std::vector<std::string> PythonCommand(const std::filesystem::path& root,
                                       const PythonPlace& python);

/// Its environment: `PYTHONHOME` under the root and nothing of the user's but `more`.
std::vector<std::string> PythonEnvironment(const std::filesystem::path& root,
                                           const PythonPlace& python,
                                           const std::vector<std::string>& more);

/// Finds CPython in an unpacked root: in `folders` (its PATH), then in the usual ones. It is run
/// once to say where it installs. kInvalidArgument (id `Image.NoPython`) if there is none, it is
/// older than 3.8, or it does not run on this machine.
Result<PythonPlace> FindPython(const std::filesystem::path& root,
                               const std::vector<std::string>& folders,
                               const std::filesystem::path& scratch, const WorkHooks& hooks);

/// Whether a library of this machine can be loaded into that Python, as Slipway's modules do in an
/// image. kInvalidArgument (id `Image.BaseTooOld`) saying what the loader says.
Result<void> CheckLoads(const std::filesystem::path& root, const PythonPlace& python,
                        const std::filesystem::path& library, const std::filesystem::path& scratch,
                        const WorkHooks& hooks);

/// Compiles the modules below `folder`, which is a part of `tree`, to bytecode that holds whatever
/// the files' times; the same files give the same bytes. A file that is no Python stays as it is.
Result<void> CompileModules(const std::filesystem::path& root, const PythonPlace& python,
                            const std::filesystem::path& tree, const std::string& folder,
                            const std::filesystem::path& scratch, const WorkHooks& hooks);

}  // namespace slipway::imagebuilder
