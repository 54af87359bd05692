// SPDX-License-Identifier: Apache-2.0
#include "workspace/model_json.h"

namespace slipway::workspace {
namespace {

std::vector<api::SignatureValue> ValuesOf(const std::vector<registry::SignatureValue>& values) {
  std::vector<api::SignatureValue> out;
  for (const registry::SignatureValue& value : values) {
    out.push_back({value.name, value.type, value.shape, value.has_shape});
  }
  return out;
}

}  // namespace

api::Model ModelOf(const registry::ModelVersion& version) {
  api::Model model;
  model.name = version.name;
  model.version = version.version;
  model.id = version.id;
  model.digest = version.digest;
  model.size = version.size;
  model.main_file = version.main_file;
  model.framework = version.framework;
  model.framework_version = version.framework_version;
  model.description = version.description;
  model.tags = version.tags;
  model.kv_tags = version.kv_tags;
  model.properties = version.properties;
  for (const registry::ModelFile& file : version.files) {
    model.files.push_back({file.path, file.digest, file.size});
  }
  model.inputs = ValuesOf(version.signature.inputs);
  model.outputs = ValuesOf(version.signature.outputs);
  model.created_time = version.created_time;
  model.updated_time = version.updated_time;
  model.etag = version.etag;
  return model;
}

}  // namespace slipway::workspace
