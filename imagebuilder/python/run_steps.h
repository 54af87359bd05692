// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "imagebuilder/imagebuilder.h"

namespace slipway::imagebuilder {

/// Runs the spec's steps on the layers made so far and gives what they changed. A step's ENV holds
/// for those after it. Errors of RunInSandbox; kNotFound (id `Image.DockerFile`) for a COPY of a
/// file that is none of the spec's.
Result<std::vector<FileEntry>> RunSteps(const BuildSpec& spec, BuildContext& context);

/// What the steps leave in the image's configuration.
struct StepSettings {
  std::map<std::string, std::string> environment, labels;
};
StepSettings SettingsOf(const std::vector<DockerStep>& steps);

/// Whether a container is needed: ENV and LABEL alone change no file.
bool ChangesFiles(const std::vector<DockerStep>& steps);

/// What decides the changes, as far as it is known beforehand.
std::string StepsKey(const BuildSpec& spec);

}  // namespace slipway::imagebuilder
