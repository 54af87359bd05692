// SPDX-License-Identifier: Apache-2.0
#include "workspace/images.h"

#include <memory>
#include <mutex>
#include <set>
#include <shared_mutex>

#include "workspace/workspace.h"

namespace slipway::workspace {
namespace {

constexpr std::int64_t kModelsMax = 1'000;

/// The row and the build of one image, on their way through an operation.
struct ImageWork {
  std::vector<registry::ModelVersion> models;
  api::Image image;
  imagebuilder::Image built;
  std::shared_lock<std::shared_mutex> keep;
};

Result<imagebuilder::BuildSpec> MakeSpec(Workspace& workspace,
                                         const std::vector<registry::ModelVersion>& models) {
  imagebuilder::BuildSpec spec{.models = {}, .server_program = workspace.config().server_program};
  for (const registry::ModelVersion& model : models) {
    imagebuilder::ModelInput input{
        .name = model.name, .version = model.version, .main_file = model.main_file, .files = {}};
    for (const registry::ModelFile& file : model.files) {
      const Digest digest = TRY(Digest::Parse(file.digest));
      input.files.push_back({.path = file.path,
                             .source = TRY(workspace.blobs().Path(digest)),
                             .digest = file.digest,
                             .size = file.size});
    }
    spec.models.push_back(std::move(input));
  }
  return spec;
}

Result<void> CheckImage(const api::CreateImage& wanted) {
  Result<void> named = registry::CheckName("image name", wanted.name);
  if (named) return {};
  Error error = std::move(named).error();
  error.id = "Image.Name";
  return error;
}

}  // namespace

Result<std::vector<registry::ModelVersion>> ResolveModels(Workspace& workspace,
                                                          std::string_view workspace_name,
                                                          const std::vector<std::string>& models) {
  const auto count = static_cast<std::int64_t>(models.size());
  if (count == 0 || count > kModelsMax) {
    return Error{.code = Code::kInvalidArgument,
                 .message = "an image needs 1 to " + std::to_string(kModelsMax) + " models, not " +
                            std::to_string(count),
                 .id = "Image.Spec"};
  }
  std::vector<registry::ModelVersion> found;
  std::set<std::string> ids;
  for (const std::string& text : models) {
    const VersionedName name = TRY(ParseVersionedName(text));
    registry::ModelVersion model =
        TRY(workspace.registry().Get(workspace_name, name.name, name.version));
    if (model.main_file.empty()) {
      return Error{.code = Code::kInvalidArgument,
                   .message = "model \"" + model.id + "\" holds no .onnx file to serve",
                   .id = "Image.Spec",
                   .fix = "register the .onnx file, or name it as the main file"};
    }
    if (!ids.insert(model.id).second) {
      return Error{.code = Code::kInvalidArgument,
                   .message = "model \"" + model.id + "\" is named twice",
                   .id = "Image.Spec"};
    }
    found.push_back(std::move(model));
  }
  return found;
}

Result<api::Image> InsertImage(Workspace& workspace, std::string_view workspace_name,
                               const api::CreateImage& wanted,
                               const std::vector<registry::ModelVersion>& models,
                               const std::string& operation_id) {
  api::Image draft;
  draft.name = wanted.name;
  draft.description = wanted.description;
  draft.kv_tags = wanted.tags;
  draft.properties = wanted.properties;
  draft.operation_id = operation_id;
  for (const registry::ModelVersion& model : models) draft.models.push_back(model.id);
  return workspace.store().InsertImage(workspace_name, draft);
}

Result<imagebuilder::Image> BuildImage(Workspace& workspace,
                                       const std::vector<registry::ModelVersion>& models,
                                       Progress& progress) {
  const imagebuilder::BuildSpec spec = TRY(MakeSpec(workspace, models));
  std::int64_t percent = 0;
  imagebuilder::BuildContext context{.blobs = workspace.blobs(),
                                     .cache = workspace.layer_cache(),
                                     .progress =
                                         [&](std::string_view phase) {
                                           percent += (90 - percent) / 4;
                                           progress.Phase(phase, percent);
                                         },
                                     .cancelled = [&progress] { return progress.Cancelled(); }};
  return imagebuilder::Build(spec, context);
}

Result<void> FinishImage(Workspace& workspace, std::string_view workspace_name, api::Image& image,
                         const imagebuilder::Image& built) {
  image.state = "Succeeded";
  image.digest = built.manifest.digest;
  image.size = built.compressed_size;
  image.layers.clear();
  for (const imagebuilder::Layer& layer : built.layers) {
    image.layers.push_back({.name = layer.name,
                            .summary = layer.summary,
                            .digest = layer.blob.digest,
                            .diff_id = layer.diff_id,
                            .size = layer.blob.size,
                            .unpacked_size = layer.unpacked_size});
  }
  return workspace.store().FinishImage(workspace_name, image, built.config.digest);
}

Result<api::Operation> StartImageCreate(Workspace& workspace, const std::string& workspace_name,
                                        const api::CreateImage& wanted) {
  TRY(CheckImage(wanted));
  TRY(workspace.store().GetWorkspace(workspace_name));
  auto work = std::make_shared<ImageWork>();
  work->models = TRY(ResolveModels(workspace, workspace_name, wanted.models));
  Job job{.kind = "image.create", .workspace = workspace_name};
  job.prepare = [&workspace, workspace_name, wanted,
                 work](const std::string& operation_id) -> Result<std::string> {
    work->image = TRY(InsertImage(workspace, workspace_name, wanted, work->models, operation_id));
    return "/workspaces/" + workspace_name + "/images/" + work->image.name + "/versions/" +
           std::to_string(work->image.version);
  };
  job.run = [&workspace, work](Progress& progress) -> Result<void> {
    work->keep = std::shared_lock(workspace.keep_mutex());
    work->built = TRY(BuildImage(workspace, work->models, progress));
    progress.Log("image " + work->image.id + " is " + work->built.manifest.digest);
    return {};
  };
  job.succeed = [&workspace, workspace_name, work] {
    return FinishImage(workspace, workspace_name, work->image, work->built);
  };
  job.fail = [&workspace, work](const Error& error) {
    return workspace.store().FailImagesOf(work->image.operation_id, error.message);
  };
  return workspace.operations().Start(std::move(job));
}

Result<api::ImagePlan> PlanImage(Workspace& workspace, std::string_view workspace_name,
                                 const api::CreateImage& wanted) {
  TRY(CheckImage(wanted));
  TRY(workspace.store().GetWorkspace(workspace_name));
  const std::vector<registry::ModelVersion> models =
      TRY(ResolveModels(workspace, workspace_name, wanted.models));
  const imagebuilder::BuildSpec spec = TRY(MakeSpec(workspace, models));
  imagebuilder::BuildContext context{.blobs = workspace.blobs(), .cache = workspace.layer_cache()};
  const imagebuilder::ImagePlan plan = TRY(imagebuilder::Plan(spec, context));
  api::ImagePlan answer{.digest = plan.digest, .layers = {}};
  for (const imagebuilder::PlannedLayer& layer : plan.layers) {
    api::PlannedLayer planned;
    planned.name = layer.name;
    planned.summary = layer.summary;
    planned.unpacked_size = layer.unpacked_size;
    planned.cached = layer.cached.has_value();
    if (layer.cached) {
      planned.digest = layer.cached->blob.digest;
      planned.size = layer.cached->blob.size;
    }
    answer.layers.push_back(std::move(planned));
  }
  return answer;
}

}  // namespace slipway::workspace
