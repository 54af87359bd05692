// SPDX-License-Identifier: Apache-2.0
#include "workspace/program_digest.h"

#include "base/digest.h"

namespace slipway::workspace {

Result<std::string> ProgramDigest::Now() {
  const std::lock_guard lock(mutex_);
  const imagebuilder::FileState before = TRY(imagebuilder::StateOf(file_));
  if (!digest_.empty() && before == state_) return digest_;
  const Digest digest = TRY(Digest::OfFile(file_));
  const imagebuilder::FileState after = TRY(imagebuilder::StateOf(file_));
  digest_.clear();
  if (before == after && imagebuilder::IsSettled(after)) {
    state_ = after;
    digest_ = digest.text();
  }
  return digest.text();
}

}  // namespace slipway::workspace
