// SPDX-License-Identifier: Apache-2.0
#include "workspace/promotion_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "base/file.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/text.h"
#include "registry/folder_view.h"
#include "runtime/runtime.h"
#include "runtime/tools/tensor_file.h"
#include "runtime/tools/test_folder.h"
#include "workspace/script_sample.h"
#include "workspace/workspace.h"

namespace slipway::workspace {
namespace {

namespace fs = std::filesystem;
using runtime::DType;
using runtime::Value;

constexpr std::string_view kSamplePrefix = "test_data_set_";
constexpr double kRelative = 1e-3, kAbsolute = 1e-5;

/// Folders of golden samples beside the main file, relative to the model's folder.
std::set<std::string> SampleFolders(const registry::ModelVersion& model) {
  const fs::path beside = fs::path(model.main_file).parent_path();
  std::set<std::string> folders;
  for (const registry::ModelFile& file : model.files) {
    const fs::path folder = fs::path(file.path).parent_path();
    const bool fits = folder.filename().string().starts_with(kSamplePrefix);
    if (fits && folder.parent_path() == beside) folders.insert(folder.string());
  }
  return folders;
}

Error Wrong(std::string message) {
  return Error{.code = Code::kFailedPrecondition,
               .message = std::move(message),
               .id = "Promotion.WrongAnswer",
               .fix = "compare with slipway model test DIR; promote a version that answers right"};
}

/// Name of an element type in the Open Inference Protocol; empty if it has none.
std::string_view ProtocolName(DType dtype) {
  switch (dtype) {
    case DType::kBool:
      return "BOOL";
    case DType::kUint8:
      return "UINT8";
    case DType::kUint16:
      return "UINT16";
    case DType::kUint32:
      return "UINT32";
    case DType::kUint64:
      return "UINT64";
    case DType::kInt8:
      return "INT8";
    case DType::kInt16:
      return "INT16";
    case DType::kInt32:
      return "INT32";
    case DType::kInt64:
      return "INT64";
    case DType::kFloat16:
      return "FP16";
    case DType::kFloat32:
      return "FP32";
    case DType::kFloat64:
      return "FP64";
    case DType::kString:
      return "BYTES";
    default:
      return "";
  }
}

Result<Value> ReadSample(const fs::path& file, const runtime::ValueInfo& info) {
  return runtime::ReadTensorFile(file, info.type);
}

/// A sample's inputs as a request. Source: Open Inference Protocol v2, "Inference Request".
Result<Json> MakeRequest(const fs::path& folder, const runtime::Model& model) {
  Json inputs = Json::array();
  std::size_t number = 0;
  for (const runtime::ValueInfo& info : model.inputs()) {
    const Value value = TRY(ReadSample(folder / fmt::format("input_{}.pb", number++), info));
    if (value.tensor() == nullptr) {
      return Wrong(fmt::format("input {} is no tensor and cannot be sent", info.name));
    }
    const runtime::Tensor& tensor = *value.tensor();
    Json data = TRY(runtime::ValueToJson(value));
    inputs.push_back({{"name", info.name},
                      {"shape", tensor.shape()},
                      {"datatype", ProtocolName(tensor.dtype())},
                      {"data", std::move(data)}});
  }
  return Json{{"inputs", std::move(inputs)}};
}

Result<Json> FindOutput(const Json& answer, const std::string& name) {
  const auto outputs = answer.find("outputs");
  if (outputs != answer.end() && outputs->is_array()) {
    for (const Json& output : *outputs) {
      if (output.is_object() && output.value("name", "") == name) return output;
    }
  }
  return Wrong("the answer has no output " + name);
}

Result<void> Compare(const fs::path& folder, const runtime::Model& model, const Json& answer) {
  std::size_t number = 0;
  for (const runtime::ValueInfo& info : model.outputs()) {
    const fs::path file = folder / fmt::format("output_{}.pb", number++);
    std::error_code failure;
    if (!fs::exists(file, failure)) continue;
    const Value expected = TRY(ReadSample(file, info));
    const Json output = TRY(FindOutput(answer, info.name));
    const Json got{{"dims", output.value("shape", Json())}, {"data", output.value("data", Json())}};
    const Value actual = TRY(runtime::ValueFromJson(got, info.type));
    double largest = 0;
    const std::string why = runtime::CompareValues(expected, actual, kRelative, kAbsolute, largest);
    if (!why.empty()) return Wrong(fmt::format("output {}: {}", info.name, why));
  }
  return {};
}

http::Request MakePost(const ServiceRow& row, const std::string& path, std::string body) {
  http::Request request{
      .method = "POST", .target = row.service.endpoint + path, .body = std::move(body)};
  request.headers.Set("Content-Type", "application/json");
  if (row.deployment.auth_enabled) {
    request.headers.Set("Authorization", "Bearer " + row.deployment.primary_key);
  }
  return request;
}

/// The body of the service's answer, which must be 200.
Result<std::string> Post(Workspace& workspace, const http::Request& request) {
  http::Response response = TRY(workspace.scoring_client().Send(request));
  if (response.status == 200) return std::move(response.body);
  return Wrong(fmt::format("the service answers {}: {}", response.status,
                           http::ErrorFromResponse(response).message));
}

bool IsThere(const fs::path& file) {
  std::error_code failure;
  return fs::exists(file, failure);
}

/// Sends tensors by the Open Inference Protocol, which answers any model without a script.
Result<void> CheckTensors(Workspace& workspace, const ServiceRow& row, const fs::path& folder,
                          const runtime::Model& model, const std::string& name) {
  const Json wanted = TRY(MakeRequest(folder, model));
  const http::Request request =
      MakePost(row, "/v2/models/" + EncodePercent(name) + "/infer", DumpJson(wanted));
  const std::string body = TRY(Post(workspace, request));
  const Json answer = TRY(ParseJson(body));
  return Compare(folder, model, answer);
}

/// Sends `request.json` as it is to the scoring URI.
Result<void> CheckJson(Workspace& workspace, const ServiceRow& row, const fs::path& folder) {
  std::string body = TRY(ReadFile(folder / kRequestFile, limits::kHttpBodyBytes));
  std::optional<Json> want;
  const fs::path expected = folder / kResponseFile;
  if (IsThere(expected)) {
    Result<Json> read = ParseJson(TRY(ReadFile(expected, limits::kJsonBytes)));
    if (!read) return Within(kResponseFile, std::move(read).error());
    want = *std::move(read);
  }
  const std::string answer = TRY(Post(workspace, MakePost(row, "/score", std::move(body))));
  return CheckAnswer(want, answer);
}

/// Checks samples one after the other; the folders are those of one version of a model.
class SampleCheck {
 public:
  SampleCheck(Workspace& workspace, const ServiceRow& row, const api::Image& image,
              const registry::ModelVersion& model, fs::path folder)
      : workspace_(workspace),
        row_(row),
        scripted_(!image.script.empty()),
        model_(model),
        folder_(std::move(folder)) {}

  /// Whether there was something to send.
  Result<bool> Check(const fs::path& sample) {
    const fs::path folder = folder_ / sample;
    if (IsThere(folder / kRequestFile)) {
      TRY(CheckJson(workspace_, row_, folder));
      return true;
    }
    if (scripted_) return false;
    if (!parsed_) parsed_ = TRY(runtime::Model::Load(folder_ / model_.main_file));
    TRY(CheckTensors(workspace_, row_, folder, *parsed_, model_.name));
    return true;
  }

 private:
  Workspace& workspace_;
  const ServiceRow& row_;
  const bool scripted_;
  const registry::ModelVersion& model_;
  const fs::path folder_;
  std::optional<runtime::Model> parsed_;
};

Error NothingToSend(const registry::ModelVersion& model) {
  return Error{.code = Code::kFailedPrecondition,
               .message = fmt::format("no golden sample of model \"{}\" has a {}, which is what a "
                                      "scoring script is sent",
                                      model.id, kRequestFile),
               .id = "Promotion.NoRequest",
               .fix =
                   "add request.json, and response.json with what must come back, to a folder "
                   "test_data_set_N of the model"};
}

Result<std::string> CheckReady(Workspace& workspace, const ServiceRow& row) {
  const http::Response response =
      TRY(workspace.scoring_client().Send({.target = row.service.endpoint + "/readyz"}));
  if (response.status == 200) return std::string("the service says it is ready");
  return Wrong(fmt::format("the service says it is not ready: {}", response.status));
}

}  // namespace

Result<std::string> FindSamples(const registry::ModelVersion& model) {
  const std::size_t count = SampleFolders(model).size();
  if (count > 0) return fmt::format("{} golden samples", count);
  return Error{.code = Code::kFailedPrecondition,
               .message = "model \"" + model.id + "\" has no golden samples",
               .id = "Promotion.NoSamples",
               .fix =
                   "register it with slipway model register … --sample DIR, or take the gate "
                   "\"samples\" from the environment"};
}

Result<std::string> VerifyImage(Workspace& workspace, const api::Image& image,
                                const registry::ModelVersion& model) {
  if (std::ranges::find(image.models, model.id) == image.models.end()) {
    return Error{.code = Code::kFailedPrecondition,
                 .message = "image \"" + image.id + "\" does not carry model \"" + model.id + "\"",
                 .id = "Promotion.OtherModel"};
  }
  const imagebuilder::Image built = TRY(imagebuilder::Load(workspace.blobs(), image.digest));
  TRY(imagebuilder::Validate(workspace.blobs(), built));
  for (const imagebuilder::Layer& layer : built.layers) {
    const Digest digest = TRY(Digest::Parse(layer.blob.digest));
    TRY(workspace.blobs().Verify(digest));
  }
  for (const registry::ModelFile& file : model.files) {
    const Digest digest = TRY(Digest::Parse(file.digest));
    TRY(workspace.blobs().Verify(digest));
  }
  return fmt::format("{} of {} layers is whole", image.digest, built.layers.size());
}

Result<std::string> RebuildImage(Workspace& workspace, const std::string& workspace_name,
                                 const api::Image& image, OwnPrograms programs, Progress& progress,
                                 api::Evidence& evidence) {
  evidence.digest = image.digest;
  const Result<api::Verification> verification =
      VerifyByRebuilding(workspace, workspace_name, image, progress);
  if (!verification) {
    // Of a damaged image, what was found is kept with it.
    const auto now = workspace.store().GetImage(workspace_name, {image.name, image.version});
    if (now && verification.error().id == "Image.Damaged") {
      evidence.verification = now->verification;
    }
    return verification.error();
  }
  evidence.verification = *verification;
  TRY(CheckVerified(image, *verification, programs));
  return image.digest + ": " + verification->detail;
}

Result<std::string> CheckEndpoint(Workspace& workspace, const ServiceRow& row,
                                  const api::Image& image, const registry::ModelVersion& model,
                                  Progress& progress) {
  const std::set<std::string> folders = SampleFolders(model);
  if (folders.empty()) return CheckReady(workspace, row);
  const auto view =
      TRY(registry::FolderView::Make(workspace.temp_folder(), model.files, workspace.blobs()));
  SampleCheck check(workspace, row, image, model, view->path());
  std::size_t checked = 0;
  for (const std::string& folder : folders) {
    if (progress.Cancelled()) {
      return Error{.code = Code::kUnavailable, .message = "cancelled", .id = "Operation.Cancelled"};
    }
    auto sent = check.Check(folder);
    if (!sent) return Within("golden sample " + folder, std::move(sent).error());
    if (*sent) ++checked;
  }
  if (checked == 0) return NothingToSend(model);
  return fmt::format("{} golden samples reproduced at {}", checked, row.service.endpoint);
}

}  // namespace slipway::workspace
