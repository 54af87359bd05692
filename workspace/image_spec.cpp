// SPDX-License-Identifier: Apache-2.0
#include "workspace/image_spec.h"

#include <memory>

#include "runtime/runtime.h"
#include "workspace/image_base.h"
#include "workspace/workspace.h"

namespace slipway::workspace {
namespace {

void AddLibraries(const Workspace& workspace, const std::vector<std::string>& files,
                  imagebuilder::BuildSpec& spec) {
  for (const std::string& file : files) spec.libraries.insert(workspace.library_folder() / file);
}

}  // namespace

Result<imagebuilder::BuildSpec> MakeSpec(Workspace& workspace,
                                         const std::vector<registry::ModelVersion>& models) {
  imagebuilder::BuildSpec spec{.models = {}, .server_program = workspace.config().server_program};
  for (const registry::ModelVersion& model : models) {
    imagebuilder::ModelInput input{
        .name = model.name, .version = model.version, .main_file = model.main_file, .files = {}};
    for (const registry::ModelFile& file : model.files) {
      const Digest digest = TRY(Digest::Parse(file.digest));
      std::filesystem::path source = TRY(workspace.blobs().Path(digest));
      input.files.push_back({.path = file.path,
                             .source = std::move(source),
                             .digest = file.digest,
                             .size = file.size});
    }
    spec.models.push_back(std::move(input));
    AddLibraries(workspace, model.signature.libraries, spec);
  }
  return spec;
}

Result<void> SetPython(Workspace& workspace, const ImageInputs& inputs,
                       imagebuilder::PythonLock lock, imagebuilder::BuildSpec& spec) {
  auto python = std::make_shared<imagebuilder::PythonSpec>(
      MakePythonSpec(workspace, inputs, std::move(lock)));
  if (!python->lock.base.empty()) {
    const imagebuilder::Image base = TRY(imagebuilder::Load(workspace.blobs(), python->lock.base));
    TRY(AddBase(workspace, base, *python, spec));
  }
  spec.python = std::move(python);
  // A script loads whatever model it likes.
  AddLibraries(workspace, runtime::OperatorLibraries(), spec);
  return {};
}

}  // namespace slipway::workspace
