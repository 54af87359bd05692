// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace slipway::imagebuilder {

/// A step that is added to an image, as a Dockerfile says it; there is no FROM.
struct DockerStep {
  enum class Kind : unsigned char { kRun, kCopy, kEnvironment, kFolder, kLabel, kArgument };
  Kind kind = Kind::kRun;
  int line = 0;
  std::string text;                               ///< what follows the instruction, lines joined
  std::vector<std::string> words;                 ///< COPY: sources, then the destination
  std::map<std::string, std::string> pairs = {};  ///< ENV, LABEL, ARG
};

/// Untrusted text. kInvalidArgument (id `Image.DockerFile`) naming the line and the thing.
/// Source: Dockerfile reference.
Result<std::vector<DockerStep>> ParseDockerSteps(std::string_view text);

/// What a RUN does that needs no container.
struct PackageStep {
  std::vector<std::string> debian;  ///< packages of `apt-get install`
  std::vector<std::string> pip;     ///< lines of `pip install`
  bool whole = false;               ///< nothing else is in the RUN
};
PackageStep ReadPackageStep(const DockerStep& step);

}  // namespace slipway::imagebuilder
