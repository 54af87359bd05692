// SPDX-License-Identifier: Apache-2.0
#include "imagebuilder/python/run_steps.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "base/digest.h"
#include "base/file.h"
#include "imagebuilder/errors.h"
#include "imagebuilder/extract.h"
#include "imagebuilder/layer_stream.h"
#include "imagebuilder/merge.h"
#include "imagebuilder/python/python_layers.h"
#include "imagebuilder/python/sandbox.h"
#include "imagebuilder/python/snapshot.h"
#include "imagebuilder/python/tree_writer.h"
#include "imagebuilder/tar_reader.h"

namespace slipway::imagebuilder {
namespace {

namespace fs = std::filesystem;
using Kind = DockerStep::Kind;

/// Grows whenever the same steps would be run otherwise.
constexpr std::string_view kForm = "steps 1";

/// A copy of the layers that may be written to: nothing of it is shared.
Result<void> Assemble(BuildContext& context, const fs::path& folder, const fs::path& root) {
  TRY(MakeFolders(root));
  for (const Layer& layer : context.below) {
    const fs::path tree = folder / "layer";
    TRY(MakeFolders(tree));
    const auto stream = TRY(LayerStream::Open(context.blobs, layer));
    TarReader tar(stream->Source());
    TRY(ExtractLayer(tar, tree));
    TRY(stream->Finish());
    TRY(MergeLayer(tree, root));
    TRY(RemoveTree(tree));
  }
  return {};
}

class Runner {
 public:
  Runner(const BuildSpec& spec, const fs::path& root, const fs::path& scratch,
         const WorkHooks& hooks)
      : spec_(spec), root_(root), scratch_(scratch), hooks_(hooks) {
    environment_ = spec.python->base_environment;
  }

  Result<void> Run(const DockerStep& step) {
    switch (step.kind) {
      case Kind::kRun:
        hooks_.Say(fmt::format("step line {}: RUN {}", step.line, step.text));
        return RunInSandbox({.root = root_,
                             .command = step.text,
                             .folder = folder_,
                             .environment = environment_,
                             .scratch = scratch_},
                            hooks_);
      case Kind::kCopy:
        return Copy(step);
      case Kind::kFolder:
        folder_ = (fs::path(folder_) / step.text).lexically_normal().string();
        return MakeFolder(folder_);
      case Kind::kEnvironment:
      case Kind::kArgument:
        for (const auto& [name, value] : step.pairs) environment_[name] = value;
        return {};
      case Kind::kLabel:
        return {};
    }
    return {};
  }

 private:
  Result<void> MakeFolder(const std::string& folder) {
    if (folder == "/") return {};
    const auto tree = TRY(TreeWriter::Open(root_));
    return tree->AddFolder(folder.substr(1), 0755);
  }

  Result<void> Copy(const DockerStep& step) {
    const std::string& given = step.words.back();
    const bool into = given.ends_with('/') || given == "." || step.words.size() > 2;
    const fs::path destination = (fs::path(folder_) / given).lexically_normal();
    const auto tree = TRY(TreeWriter::Open(root_));
    for (std::size_t i = 0; i + 1 < step.words.size(); ++i) {
      const std::string source = fs::path(step.words[i]).lexically_normal().string();
      bool found = false;
      for (const AppFile& file : spec_.python->files) {
        const bool below = source == "." || file.path.starts_with(source + "/");
        if (file.path != source && !below) continue;
        found = true;
        const std::string rest = source == "." ? file.path
                                 : below       ? file.path.substr(source.size() + 1)
                                 : into        ? fs::path(file.path).filename().string()
                                               : std::string();
        const fs::path place = rest.empty() ? destination : destination / rest;
        const auto content = TRY(MappedFile::Open(file.source));
        std::span<const std::byte> left = content->bytes();
        TRY(tree->AddFile(
            place.lexically_normal().string().substr(1), 0644,
            [&left]() -> Result<std::span<const std::byte>> { return std::exchange(left, {}); }));
      }
      if (found) continue;
      return Error{.code = Code::kNotFound,
                   .message = fmt::format("docker file steps, line {}: there is no {} to copy",
                                          step.line, step.words[i]),
                   .id = "Image.DockerFile",
                   .fix = "give it as a --dependency"};
    }
    return {};
  }

  const BuildSpec& spec_;
  const fs::path& root_;
  const fs::path& scratch_;
  const WorkHooks& hooks_;
  std::string folder_ = "/";
  std::map<std::string, std::string> environment_;
};

}  // namespace

Result<std::vector<FileEntry>> RunSteps(const BuildSpec& spec, BuildContext& context) {
  const WorkHooks hooks = HooksOf(context);
  const fs::path folder = TRY(MakeTempFolder(context.scratch, "steps-"));
  const fs::path root = folder / "root";
  TRY(Assemble(context, folder, root));
  const Snapshot before = TRY(TakeSnapshot(root));
  Runner runner(spec, root, context.scratch, hooks);
  for (const DockerStep& step : spec.python->steps) {
    if (hooks.IsCancelled()) return Cancelled();
    auto ran = runner.Run(step);
    if (!ran) return std::move(ran).error();
  }
  return ChangesSince(before, root, context.cancelled);
}

StepSettings SettingsOf(const std::vector<DockerStep>& steps) {
  StepSettings settings;
  for (const DockerStep& step : steps) {
    if (step.kind != Kind::kEnvironment && step.kind != Kind::kLabel) continue;
    auto& target = step.kind == Kind::kLabel ? settings.labels : settings.environment;
    for (const auto& [name, value] : step.pairs) target[name] = value;
  }
  return settings;
}

bool ChangesFiles(const std::vector<DockerStep>& steps) {
  return std::ranges::any_of(steps, [](const DockerStep& step) {
    return step.kind == Kind::kRun || step.kind == Kind::kCopy || step.kind == Kind::kFolder;
  });
}

std::string StepsKey(const BuildSpec& spec) {
  const PythonSpec& python = *spec.python;
  std::string text(kForm);
  text += "\n" + DebianKey(python.lock) + "\n" + WheelsKey(python.lock);
  bool copies = false;
  for (const DockerStep& step : python.steps) {
    text += fmt::format("\n{} {}", static_cast<int>(step.kind), step.text);
    copies = copies || step.kind == Kind::kCopy;
  }
  if (copies) {
    for (const AppFile& file : python.files) text += "\n" + file.path + " " + file.digest;
  }
  return Digest::OfText(text).text();
}

}  // namespace slipway::imagebuilder
