// SPDX-License-Identifier: Apache-2.0
#include "imagebuilder/python/dockerfile.h"

#include <fmt/format.h>

#include <array>

#include "imagebuilder/places.h"
#include "imagebuilder/spec.h"

namespace slipway::imagebuilder {
namespace {

std::string_view Instruction(DockerStep::Kind kind) {
  switch (kind) {
    case DockerStep::Kind::kRun:
      return "RUN";
    case DockerStep::Kind::kCopy:
      return "COPY";
    case DockerStep::Kind::kEnvironment:
      return "ENV";
    case DockerStep::Kind::kFolder:
      return "WORKDIR";
    case DockerStep::Kind::kLabel:
      return "LABEL";
    case DockerStep::Kind::kArgument:
      return "ARG";
  }
  return {};
}

std::string Packages(const std::vector<LockedFile>& files, std::string_view equals) {
  std::string lines;
  for (const LockedFile& file : files) {
    lines += fmt::format(" \\\n    {}{}{}", file.name, equals, file.version);
  }
  return lines;
}

}  // namespace

std::string GeneratedDockerfile(const BuildSpec& spec) {
  if (!spec.python) return {};
  const PythonSpec& python = *spec.python;
  std::string text = python.lock.base.empty() ? "FROM debian:bookworm-slim\n"
                                              : fmt::format("FROM {}\n", python.lock.base);
  if (!python.lock.debian.empty()) {
    text += fmt::format("RUN apt-get update && apt-get install -y --no-install-recommends{}\n",
                        Packages(python.lock.debian, "="));
  }
  if (!python.lock.wheels.empty()) {
    text += fmt::format("RUN pip install --no-deps --only-binary :all:{}\n",
                        Packages(python.lock.wheels, "=="));
  }
  for (const DockerStep& step : python.steps) {
    text += fmt::format("{} {}\n", Instruction(step.kind), step.text);
  }
  text += fmt::format("COPY slipway/ /opt/slipway/\n");
  for (const AppFile& file : python.files) {
    text += fmt::format("COPY [\"{0}\", \"{1}/{0}\"]\n", file.path, kAppRoot);
  }
  for (const ModelInput& model : spec.models) {
    text += fmt::format("COPY models/{0}/{1}/ {2}/\n", model.name, model.version,
                        ModelFolder(model.name, model.version));
  }
  const auto config = MakeConfig(spec);
  if (!config) return text;
  for (const auto& [name, value] : config->environment) {
    text += fmt::format("ENV {}=\"{}\"\n", name, value);
  }
  text += fmt::format("USER {}\nWORKDIR {}\nEXPOSE {}\nENTRYPOINT [", config->user,
                      config->working_folder, config->port);
  std::string_view comma;
  for (const std::string& word : config->entrypoint) {
    text += fmt::format("{}\"{}\"", comma, word);
    comma = ", ";
  }
  return text + "]\n";
}

}  // namespace slipway::imagebuilder
