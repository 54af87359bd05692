// SPDX-License-Identifier: Apache-2.0
#include "registry/model_row.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <tuple>
#include <vector>

#include "base/digest.h"
#include "base/json.h"
#include "registry/signature.h"

namespace slipway::registry {
namespace {

constexpr std::size_t kEtagChars = 16;

std::string Etag(const StoredModel& stored) {
  const ModelVersion& model = stored.model;
  const std::string text = fmt::format("{}\n{}\n{}\n{}\n{}", model.workspace, model.id,
                                       model.digest, model.created_time, stored.revision);
  return std::string(Digest::OfText(text).hex().substr(0, kEtagChars));
}

void ReadFiles(const Json& list, ModelVersion& model) {
  for (const Json& item : list) {
    model.files.push_back({.path = item.at(0).get<std::string>(),
                           .digest = item.at(1).get<std::string>(),
                           .size = item.at(2).get<std::int64_t>()});
  }
  std::ranges::sort(model.files, {}, &ModelFile::path);
}

void ReadTags(const Json& list, ModelVersion& model) {
  std::map<std::int64_t, std::string> ordered;
  for (const Json& item : list) {
    std::string name = item.at(1).get<std::string>();
    ordered[item.at(0).get<std::int64_t>()] = name;
    model.kv_tags.emplace(std::move(name), item.at(2).get<std::string>());
  }
  for (auto& [position, name] : ordered) model.tags.push_back(std::move(name));
}

}  // namespace

const std::string_view kModelColumns =
    "m.id, m.revision, m.workspace, m.name, m.version, m.digest, m.size, m.main_file, "
    "m.framework, m.framework_version, m.description, m.created_time, m.updated_time, m.signature, "
    "(SELECT json_group_array(json_array(f.path, f.digest, f.size)) "
    "FROM model_files f WHERE f.model = m.id), "
    "(SELECT json_group_array(json_array(t.position, t.name, t.value)) "
    "FROM model_tags t WHERE t.model = m.id), "
    "(SELECT json_group_object(p.name, p.value) FROM model_properties p WHERE p.model = m.id) ";

Result<StoredModel> ReadModelRow(const Row& row) {
  StoredModel stored{.row = row.Int(0), .revision = row.Int(1), .model = {}};
  ModelVersion& model = stored.model;
  model.workspace = row.Text(2);
  model.name = row.Text(3);
  model.version = row.Int(4);
  model.id = fmt::format("{}:{}", model.name, model.version);
  model.digest = row.Text(5);
  model.size = row.Int(6);
  model.main_file = row.Text(7);
  model.framework = row.Text(8);
  model.framework_version = row.Text(9);
  model.description = row.Text(10);
  model.created_time = row.Text(11);
  model.updated_time = row.Text(12);
  model.signature = TRY(ParseSignature(row.Text(13)));
  const Json files = TRY(ParseJson(row.Text(14)));
  const Json tags = TRY(ParseJson(row.Text(15)));
  const Json properties = TRY(ParseJson(row.Text(16)));
  try {
    ReadFiles(files, model);
    ReadTags(tags, model);
    model.properties = properties.get<std::map<std::string, std::string>>();
  } catch (const Json::exception& error) {
    return Error{.code = Code::kDataLoss,
                 .message = fmt::format("stored model {}: {}", model.id, error.what()),
                 .id = "State.Damaged"};
  }
  model.etag = Etag(stored);
  return stored;
}

}  // namespace slipway::registry
