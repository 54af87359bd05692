// SPDX-License-Identifier: Apache-2.0
#include "deployer/process/pidfd.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

namespace slipway::deployer {

UniqueFd OpenPidFd(const ProcessId& id) {
  UniqueFd fd(static_cast<int>(::syscall(SYS_pidfd_open, id.pid, 0)));
  if (!fd || IsRunning(id)) return fd;
  errno = ESRCH;
  return UniqueFd();
}

bool SendSignal(const UniqueFd& process, int signal_number) {
  return ::syscall(SYS_pidfd_send_signal, process.get(), signal_number, nullptr, 0) == 0;
}

UniqueFd CopyFd(const UniqueFd& process, int fd) {
  return UniqueFd(static_cast<int>(::syscall(SYS_pidfd_getfd, process.get(), fd, 0)));
}

}  // namespace slipway::deployer
