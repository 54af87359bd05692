// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "imagebuilder/python/conda_file.h"
#include "imagebuilder/python/docker_steps.h"

namespace slipway::imagebuilder {

/// Something the user should know, with a stable code.
struct BuildNote {
  std::string code = {};
  int line = 0;  ///< of the dependency file or the steps; 0: none
  std::string message = {}, fix = {};
};

/// What the image's Python environment is to hold, in the form in which it is resolved.
struct EnvironmentPlan {
  std::vector<std::string> requirements;  ///< for pip, sorted, without duplicates
  std::vector<std::string> options;       ///< for pip, in their order: `--extra-index-url …`
  std::vector<std::string> debian;        ///< packages beyond Python's own, sorted
  std::vector<std::string> provided;      ///< not fetched: see StandInFor; sorted
  std::vector<std::string> kept;          ///< fetched although StandInFor knows them, sorted
  std::string python;                     ///< condition on the version; empty: any
  int python_line = 0;
  std::vector<DockerStep> steps;  ///< what is left to run in a container
  std::vector<BuildNote> notes;
};

struct PlanOptions {
  std::vector<std::string> keep;  ///< requirements that are not met by the project's modules
  bool debian_base = true;        ///< RUN apt-get install may become packages of the base
};

/// kInvalidArgument (ids `Image.DependencyFile`, `Image.DockerFile`) naming the line.
Result<EnvironmentPlan> PlanEnvironment(const CondaFile& file, std::vector<DockerStep> steps,
                                        const PlanOptions& options);

/// Whether a step is left that runs in a shell, which the base must then have.
bool NeedsShell(const EnvironmentPlan& plan);

/// A digest of everything in the plan that decides what it resolves to.
std::string PlanKey(const EnvironmentPlan& plan, std::string_view base);

}  // namespace slipway::imagebuilder
