// SPDX-License-Identifier: Apache-2.0
#include "imagebuilder/python/environment_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/digest.h"
#include "base/json.h"
#include "base/text.h"
#include "imagebuilder/python/conda_names.h"
#include "imagebuilder/python/stand_ins.h"

namespace slipway::imagebuilder {
namespace {

/// Changes whenever one plan would resolve to something else than before.
constexpr std::string_view kForm = "slipway environment 3";

class Planner {
 public:
  explicit Planner(const PlanOptions& options) : options_(options) {
    for (const std::string& name : options.keep) keep_.push_back(NormalName(name));
  }

  Result<EnvironmentPlan> Run(const CondaFile& file, std::vector<DockerStep> steps) {
    plan_.python = file.python;
    plan_.python_line = file.python_line;
    for (const std::string& what : file.ignored) {
      Note("Image.Ignored", 0, fmt::format("not used: {}", what));
    }
    if (!file.channels.empty()) {
      Note("Image.Channels", 0,
           fmt::format("conda's channels are not used: {}; packages come from the Python index and "
                       "from Debian",
                       Join(file.channels, ", ")));
    }
    for (const CondaFile::Package& package : file.conda) TRY(AddConda(package));
    for (const CondaFile::PipLine& line : file.pip) AddPip(line.requirement, line.line);
    for (const CondaFile::PipOption& option : file.options) {
      plan_.options.push_back(option.value.empty() ? option.name
                                                   : option.name + " " + option.value);
    }
    for (DockerStep& step : steps) TRY(AddStep(std::move(step)));
    TRY(CheckKeep());
    plan_.kept = keep_;
    for (auto* list : {&plan_.requirements, &plan_.debian, &plan_.provided, &plan_.kept}) {
      std::ranges::sort(*list);
      list->erase(std::unique(list->begin(), list->end()), list->end());
    }
    return std::move(plan_);
  }

 private:
  void Note(std::string_view code, int line, std::string message, std::string fix = {}) {
    plan_.notes.push_back({.code = std::string(code),
                           .line = line,
                           .message = std::move(message),
                           .fix = std::move(fix)});
  }

  void AddPip(const Requirement& requirement, int line) {
    const std::string name = NormalName(requirement.name);
    const bool kept = std::ranges::find(keep_, name) != keep_.end();
    if (kept) kept_.push_back(name);
    const StandIn stand_in = StandInFor(name);
    if (stand_in == StandIn::kNone || kept) {
      plan_.requirements.push_back(requirement.text());
      return;
    }
    plan_.provided.push_back(name);
    for (std::string& need : NeedsOfStandIn(name)) plan_.requirements.push_back(std::move(need));
    const bool module = stand_in == StandIn::kModule;
    Note(module ? "Image.Provided" : "Image.NotInstalled", line,
         requirement.text() + (module
                                   ? " is met by Slipway's own module"
                                   : " is not installed: no module of Slipway's stands in for it"),
         fmt::format("--keep {} installs the package itself", name));
  }

  Result<void> AddConda(const CondaFile::Package& package) {
    const std::string name = ToLower(package.spec.name);
    const std::optional<CondaName> known = FindCondaName(name);
    const std::string specifier = TRY(PipSpecifier(package.spec));
    const std::string written = package.spec.name + specifier;
    if (known && known->kind == CondaName::Kind::kNothing) {
      Note("Image.CondaName", package.line,
           fmt::format("conda's {}: not needed, {}", name, known->names));
      return {};
    }
    if (known && known->kind == CondaName::Kind::kDebian) {
      if (!options_.debian_base) {
        Note("Image.CondaName", package.line,
             fmt::format("conda's {} has to be in the base: Debian calls it {}", name,
                         known->names));
        return {};
      }
      Note("Image.CondaName", package.line,
           fmt::format("conda's {} is Debian's {}{}", name, known->names,
                       specifier.empty() ? "" : ", in Debian's version"));
      for (const std::string& one : Split(known->names, ' ')) plan_.debian.push_back(one);
      return {};
    }
    const std::string wheel(known ? known->names : std::string_view(package.spec.name));
    Note("Image.CondaName", package.line,
         fmt::format("conda's {} is the wheel {}{}", written, wheel, specifier));
    AddPip({.name = wheel, .extras = {}, .specifier = specifier, .url = {}, .marker = {}},
           package.line);
    return {};
  }

  Result<void> AddStep(DockerStep step) {
    const PackageStep packages = ReadPackageStep(step);
    // In another's base only pip's packages can be told from what the container needs.
    const bool only_pip = packages.debian.empty() && !packages.pip.empty();
    const bool taken = packages.whole && (options_.debian_base || only_pip);
    if (!taken) {
      plan_.steps.push_back(std::move(step));
      return {};
    }
    plan_.debian.insert(plan_.debian.end(), packages.debian.begin(), packages.debian.end());
    for (const std::string& line : packages.pip) {
      const auto requirement = ParseRequirement(line);
      if (!requirement) {
        return Error{.code = Code::kInvalidArgument,
                     .message = fmt::format("docker file steps, line {}: {}", step.line,
                                            requirement.error().message),
                     .id = "Image.DockerFile"};
      }
      AddPip(*requirement, step.line);
    }
    std::vector<std::string> all = packages.debian;
    all.insert(all.end(), packages.pip.begin(), packages.pip.end());
    Note("Image.StepPackages", step.line,
         all.empty() ? fmt::format("the step 'RUN {}' has nothing to do", step.text)
                     : fmt::format("the step's packages are resolved with the others: {}",
                                   Join(all, ", ")));
    return {};
  }

  Result<void> CheckKeep() {
    for (const std::string& name : keep_) {
      if (std::ranges::find(kept_, name) != kept_.end()) continue;
      if (StandInFor(name) == StandIn::kNone) {
        return Error{
            .code = Code::kInvalidArgument,
            .message = fmt::format("--keep {}: no module of Slipway stands in for it", name),
            .id = "Image.Keep",
            .fix = fmt::format("these can be kept: {}", Join(StandInNames(), ", "))};
      }
      plan_.requirements.push_back(name);
    }
    return {};
  }

  const PlanOptions& options_;
  std::vector<std::string> keep_, kept_;
  EnvironmentPlan plan_;
};

}  // namespace

Result<EnvironmentPlan> PlanEnvironment(const CondaFile& file, std::vector<DockerStep> steps,
                                        const PlanOptions& options) {
  return Planner(options).Run(file, std::move(steps));
}

bool NeedsShell(const EnvironmentPlan& plan) {
  return std::ranges::any_of(
      plan.steps, [](const DockerStep& step) { return step.kind == DockerStep::Kind::kRun; });
}

std::string PlanKey(const EnvironmentPlan& plan, std::string_view base) {
  const Json json = {{"form", kForm},
                     {"requirements", plan.requirements},
                     {"options", plan.options},
                     {"debian", plan.debian},
                     {"provided", plan.provided},
                     {"kept", plan.kept},
                     {"shell", NeedsShell(plan)},
                     {"base", base}};
  return Digest::OfText(DumpJson(json)).text();
}

}  // namespace slipway::imagebuilder
