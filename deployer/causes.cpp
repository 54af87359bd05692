// SPDX-License-Identifier: Apache-2.0
#include "deployer/causes.h"

namespace slipway::deployer {
namespace {

constexpr Cause kCauses[] = {
    {"Exited", Code::kUnavailable, "the program ended; it is started again",
     "read the service's log"},
    {"CrashLoop", Code::kFailedPrecondition,
     "the program ended five times in a row soon after its start",
     "read the service's log; deploy an image whose program stays up"},
    {"Killed", Code::kUnavailable, "a signal ended the program",
     "look for the machine's out-of-memory killer, or give the service more memory"},
    {"ModelInvalid", Code::kInvalidArgument, "the program could not load its model",
     "try the model with `slipway model check FILE`"},
    {"NotReady", Code::kDeadlineExceeded, "the program runs but does not say it is ready",
     "read the service's log, or wait longer"},
    {"PortInUse", Code::kFailedPrecondition, "another program listens on the service's port",
     "stop that program, or deploy the service with another port"},
    {"ProgramMissing", Code::kNotFound, "the image has no such program", "build the image again"},
    {"WrongAnswers", Code::kFailedPrecondition,
     "the model does not reproduce the golden samples beside it",
     "compare with `slipway model test DIR`; register the model with samples of its own"},
};

}  // namespace

std::span<const Cause> Causes() { return kCauses; }

const Cause& CauseOf(std::string_view code) {
  for (const Cause& cause : kCauses) {
    if (cause.code == code) return cause;
  }
  return kCauses[0];
}

Error CauseError(std::string_view code, std::string message) {
  const Cause& cause = CauseOf(code);
  return {.code = cause.kind,
          .message = std::move(message),
          .id = "Service." + std::string(cause.code),
          .fix = std::string(cause.fix)};
}

}  // namespace slipway::deployer
