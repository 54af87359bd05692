// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>

#include "base/file.h"
#include "base/result.h"

/// The files of a state folder that are no database and no blobs.
namespace slipway::workspace {

/// Makes the folder, for its owner alone, and the folders in it.
Result<void> MakeStateFolder(const std::filesystem::path& state);
/// Removes the temporary files that a program which was killed has left. Hold the folder's lock.
Result<void> SweepStateFolder(const std::filesystem::path& state);
/// Takes the folder for this program until the descriptor is closed. kFailedPrecondition (id
/// `State.InUse`) naming who has it.
Result<UniqueFd> LockStateFolder(const std::filesystem::path& state);
/// The admin token, made at first start. kDataLoss (id `State.Damaged`) if it is none;
/// kPermissionDenied (id `State.TokenOpen`) if others may read it.
Result<std::string> ReadOrMakeToken(const std::filesystem::path& state);

/// A full disk is the one of the state folder, since this program writes nowhere else: id
/// `State.DiskFull`. Other errors as they are.
Error InStateFolder(Error error);

/// `run/endpoint.json`: where this program listens, and which process it is.
Result<void> WriteEndpoint(const std::filesystem::path& state, const std::string& address);
void RemoveEndpoint(const std::filesystem::path& state);

}  // namespace slipway::workspace
