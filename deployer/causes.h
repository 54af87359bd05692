// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace slipway::deployer {

/// Why a service is not well: a stable code, what kind of failure it is for the caller, and what
/// the user can do.
struct Cause {
  std::string_view code;  ///< `CrashLoop`
  Code kind;
  std::string_view meaning;
  std::string_view fix;
};

/// Every cause there is.
std::span<const Cause> Causes();
/// The cause of that code; the one for codes not in the table is `Exited`.
const Cause& CauseOf(std::string_view code);

/// What the scoring server's exit status 3 means, which its log tells: a model that cannot be
/// loaded
/// (`ModelInvalid`) or a scoring script that cannot be started (`ScriptInvalid`).
struct StartFailure {
  std::string cause, detail;
};
StartFailure WhyNotStarted(std::string_view log);
/// Whether starting the same program again would end the same way.
bool IsStartFailure(std::string_view cause);
/// Corrects what was judged by the exit status alone, once the log is at hand.
void CorrectStartFailure(std::string_view log, std::string& cause, std::string& detail);

/// The error of a service that failed: id `Service.<cause>`, the table's kind and fix.
Error CauseError(std::string_view code, std::string message);

}  // namespace slipway::deployer
