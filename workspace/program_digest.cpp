// SPDX-License-Identifier: Apache-2.0
#include "workspace/program_digest.h"

namespace slipway::workspace {

Result<std::string> ProgramDigest::Now() {
  const std::lock_guard lock(mutex_);
  const imagebuilder::FileState before = TRY(imagebuilder::StateOf(file_));
  if (state_ == before) return digest_;
  const imagebuilder::StatedDigest read = TRY(imagebuilder::DigestOf(file_, before));
  state_ = read.state;
  digest_ = read.digest.text();
  return digest_;
}

}  // namespace slipway::workspace
