// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/digest.h"
#include "base/json.h"
#include "base/result.h"
#include "cli/arguments.h"
#include "cli/context.h"
#include "cli/remote.h"
#include "workspace/api.h"

namespace slipway::cli {

/// A file of a model to be.
struct ModelSource {
  std::string path;  ///< in the model, with `/`
  std::filesystem::path file;
  std::int64_t size = 0;
};

/// The files of a model: the one file, or all below a folder, by their paths in it. With
/// `children`, only those of the folder's files and folders. kNotFound; kInvalidArgument (ids
/// `Model.Empty`, `Model.File`) for an empty folder or something that is no file;
/// kResourceExhausted above limits::kModelFiles.
Result<std::vector<ModelSource>> FindModelFiles(const std::filesystem::path& path,
                                                const std::vector<std::string>& children);

/// Adds folders of golden samples as `test_data_set_N` beside the model's main file, which is
/// `main_file` or else the only .onnx among `files`. A folder that has such a name keeps it.
/// kInvalidArgument (id `Model.Sample`) for one that holds neither request.json nor input_0.pb.
Result<void> AddSamples(const std::vector<std::filesystem::path>& folders,
                        const std::string& main_file, std::vector<ModelSource>& files);

/// Uploads the files that the service does not have and registers them; gives the model.
Result<Json> RegisterFiles(Context& context, Remote& remote, const std::vector<ModelSource>& files,
                           api::RegisterModel model);

/// Uploads the script and what comes with it, and names them in the request. kNotFound for a file
/// that is not there; kInvalidArgument (id `Usage`) for two files of one path.
Result<void> UploadScript(Context& context, Remote& remote, const ScriptArguments& arguments,
                          api::CreateImage& image);

}  // namespace slipway::cli
