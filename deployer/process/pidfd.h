// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/file.h"
#include "base/process.h"

namespace slipway::deployer {

/// A descriptor of the process that becomes readable when it ends; none, with errno set, where
/// the process is gone. Source: pidfd_open(2), pidfd_send_signal(2), pidfd_getfd(2).
UniqueFd OpenPidFd(const ProcessId& id);
bool SendSignal(const UniqueFd& process, int signal_number);
/// A copy of the descriptor that the process has under `fd`; none, with errno set, on failure.
UniqueFd CopyFd(const UniqueFd& process, int fd);

}  // namespace slipway::deployer
