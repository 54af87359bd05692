// SPDX-License-Identifier: Apache-2.0
#include "workspace/images.h"

#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <shared_mutex>

#include "base/file.h"
#include "imagebuilder/python/dockerfile.h"
#include "workspace/image_base.h"
#include "workspace/image_inputs.h"
#include "workspace/image_spec.h"
#include "workspace/image_verify.h"
#include "workspace/preflight.h"
#include "workspace/workspace.h"

namespace slipway::workspace {
namespace {

constexpr std::int64_t kModelsMax = 1'000;

/// The row and the build of one image, on their way through an operation.
struct ImageWork {
  std::vector<registry::ModelVersion> models;
  std::optional<ImageInputs> inputs;  ///< of an image with Python
  api::Image image;
  imagebuilder::Image built;
  std::shared_lock<std::shared_mutex> keep;
};

Result<void> CheckImage(const api::CreateImage& wanted) {
  Result<void> named = registry::CheckName("image name", wanted.name);
  if (named) return {};
  Error error = std::move(named).error();
  error.id = "Image.Name";
  return error;
}

/// What a build tells, as phases of an operation whose end nobody knows.
class Phases {
 public:
  explicit Phases(Progress& progress) : progress_(progress) {}
  void Say(std::string_view phase) {
    percent_ += (90 - percent_) / 4;
    progress_.Phase(phase, percent_);
  }
  imagebuilder::BuildContext Context(Workspace& workspace) {
    return {.blobs = workspace.blobs(),
            .cache = workspace.layer_cache(),
            .progress = [this](std::string_view phase) { Say(phase); },
            .cancelled = [this] { return progress_.Cancelled(); },
            .tools = &workspace.python_tools()};
  }

 private:
  Progress& progress_;
  std::int64_t percent_ = 0;
};

/// Everything a lock names, so that the image can be made again of what is here.
void AddSources(const imagebuilder::PythonLock& lock, std::vector<std::string>& sources) {
  for (const auto* list : {&lock.debian, &lock.wheels}) {
    for (const imagebuilder::LockedFile& file : *list) sources.push_back(file.digest);
  }
  for (const imagebuilder::BuiltWheel& built : lock.built) {
    sources.push_back(built.source.digest);
    for (const imagebuilder::LockedFile& file : built.needs) sources.push_back(file.digest);
  }
}

void LogWarnings(const std::vector<api::ImageWarning>& warnings, Progress& progress) {
  for (const api::ImageWarning& warning : warnings) {
    const std::string line = warning.line > 0 ? "line " + std::to_string(warning.line) + ": " : "";
    progress.Log(line + warning.message + " (" + warning.code + ")");
  }
}

/// What can be said before the environment is resolved, which takes the network.
api::ImagePlan UnresolvedPlan() {
  return {.digest = "",
          .layers = {{.name = "base",
                      .summary = "known once the dependency file is resolved",
                      .digest = "",
                      .unpacked_size = 0,
                      .size = 0,
                      .cached = false}}};
}

/// Builds an image with Python. `inputs.sources` gains what it was made of.
Result<imagebuilder::Image> BuildWithPython(Workspace& workspace, const api::CreateImage& wanted,
                                            ImageWork& work, Progress& progress) {
  ImageInputs& inputs = *work.inputs;
  const std::filesystem::path scratch = TRY(MakeTempFolder(workspace.temp_folder(), "image-"));
  const ScopedTree cleanup(scratch);
  Phases phases(progress);
  imagebuilder::BuildContext context = phases.Context(workspace);
  context.scratch = scratch;
  const imagebuilder::WorkHooks hooks{.say = context.progress, .cancelled = context.cancelled};
  imagebuilder::PythonLock lock = TRY(LockOf(workspace, wanted, inputs, scratch, hooks));
  work.image.warnings = WarningsOf(inputs.plan, lock);
  if (wanted.gpu) {
    work.image.warnings.push_back({.code = "Image.Gpu",
                                   .message =
                                       "Slipway's own runtime has no GPU device: it computes "
                                       "on the CPU",
                                   .fix = "--keep onnxruntime-gpu installs that package",
                                   .line = 0});
  }
  LogWarnings(work.image.warnings, progress);
  work.image.python_version = lock.python.version;
  const std::string lock_text = imagebuilder::LockText(lock);
  work.image.lock = TRY(workspace.blobs().PutText(lock_text)).digest.text();
  inputs.sources.push_back(work.image.lock);
  if (!lock.base.empty()) {
    const imagebuilder::Image base = TRY(imagebuilder::Load(workspace.blobs(), lock.base));
    inputs.sources.insert(inputs.sources.end(), {base.manifest.digest, base.config.digest});
  }
  AddSources(lock, inputs.sources);
  imagebuilder::BuildSpec spec = TRY(MakeSpec(workspace, work.models));
  TRY(SetPython(workspace, inputs, std::move(lock), spec));
  for (const imagebuilder::Layer& layer : spec.base_layers) {
    inputs.sources.push_back(layer.blob.digest);
  }
  const std::vector<api::ImageWarning> found =
      TRY(CheckScript(workspace, wanted, work.models, *spec.python, context));
  LogWarnings(found, progress);
  work.image.warnings.insert(work.image.warnings.end(), found.begin(), found.end());
  work.image.generated_dockerfile = imagebuilder::GeneratedDockerfile(spec);
  return imagebuilder::Build(spec, context);
}

}  // namespace

Result<std::vector<registry::ModelVersion>> ResolveModels(Workspace& workspace,
                                                          std::string_view workspace_name,
                                                          const std::vector<std::string>& models,
                                                          bool with_script) {
  const auto count = static_cast<std::int64_t>(models.size());
  if ((count == 0 && !with_script) || count > kModelsMax) {
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
    if (model.main_file.empty() && !with_script) {
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
  TRY(workspace.store().GetWorkspace(workspace_name));
  for (const registry::ModelVersion& model : models) {
    TRY(workspace.registry().Get(workspace_name, model.name, model.version));
  }
  api::Image draft;
  draft.name = wanted.name;
  draft.description = wanted.description;
  draft.kv_tags = wanted.tags;
  draft.properties = wanted.properties;
  draft.operation_id = operation_id;
  draft.runtime = wanted.script.path.empty() ? "native" : "python";
  draft.script = wanted.script.path;
  for (const registry::ModelVersion& model : models) draft.models.push_back(model.id);
  ImageOrigin origin;
  if (!models.empty() || !wanted.script.path.empty()) {
    origin.request = wanted;
    origin.request.models = draft.models;
  }
  return workspace.store().InsertImage(workspace_name, draft, origin);
}

Result<imagebuilder::Image> BuildImage(Workspace& workspace,
                                       const std::vector<registry::ModelVersion>& models,
                                       Progress& progress) {
  const imagebuilder::BuildSpec spec = TRY(MakeSpec(workspace, models));
  Phases phases(progress);
  imagebuilder::BuildContext context = phases.Context(workspace);
  return imagebuilder::Build(spec, context);
}

Result<void> FinishImage(Workspace& workspace, std::string_view workspace_name, api::Image& image,
                         const imagebuilder::Image& built,
                         const std::vector<std::string>& sources) {
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
  TRY(workspace.store().KeepOwnParts(workspace_name, {image.name, image.version}, OwnParts(built)));
  return workspace.store().FinishImage(workspace_name, image, built.config.digest, sources);
}

Result<api::Operation> StartImageCreate(Workspace& workspace, const std::string& workspace_name,
                                        const api::CreateImage& wanted) {
  TRY(CheckImage(wanted));
  TRY(workspace.store().GetWorkspace(workspace_name));
  auto work = std::make_shared<ImageWork>();
  const bool with_script = TRY(WantsPython(wanted));
  work->models = TRY(ResolveModels(workspace, workspace_name, wanted.models, with_script));
  if (with_script) work->inputs = TRY(ReadImageInputs(workspace, wanted));
  Job job{.kind = "image.create", .workspace = workspace_name};
  job.prepare = [&workspace, workspace_name, wanted,
                 work](const std::string& operation_id) -> Result<std::string> {
    work->image = TRY(InsertImage(workspace, workspace_name, wanted, work->models, operation_id));
    return "/workspaces/" + workspace_name + "/images/" + work->image.name + "/versions/" +
           std::to_string(work->image.version);
  };
  job.run = [&workspace, wanted, work](Progress& progress) -> Result<void> {
    work->keep = std::shared_lock(workspace.keep_mutex());
    work->built = work->inputs ? TRY(BuildWithPython(workspace, wanted, *work, progress))
                               : TRY(BuildImage(workspace, work->models, progress));
    progress.Log("image " + work->image.id + " is " + work->built.manifest.digest);
    return {};
  };
  job.succeed = [&workspace, workspace_name, work] {
    return FinishImage(workspace, workspace_name, work->image, work->built,
                       work->inputs ? work->inputs->sources : std::vector<std::string>());
  };
  job.fail = [&workspace, work](const Error& error) {
    return workspace.store().FailImagesOf(work->image.operation_id, error.message);
  };
  return workspace.operations().Start(std::move(job));
}

Result<api::ImagePlan> PlanImage(Workspace& workspace, std::string_view workspace_name,
                                 const api::CreateImage& wanted) {
  TRY(CheckImage(wanted));
  const bool with_script = TRY(WantsPython(wanted));
  TRY(workspace.store().GetWorkspace(workspace_name));
  const std::vector<registry::ModelVersion> models =
      TRY(ResolveModels(workspace, workspace_name, wanted.models, with_script));
  imagebuilder::BuildSpec spec = TRY(MakeSpec(workspace, models));
  if (with_script) {
    const ImageInputs inputs = TRY(ReadImageInputs(workspace, wanted));
    const auto lock = TRY(KnownLock(workspace, wanted, inputs));
    if (!lock) return UnresolvedPlan();
    TRY(SetPython(workspace, inputs, *lock, spec));
  }
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
