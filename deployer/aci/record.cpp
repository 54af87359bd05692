// SPDX-License-Identifier: Apache-2.0
#include "deployer/aci/record.h"

#include <nlohmann/json.hpp>

#include "base/json.h"
#include "deployer/record.h"

namespace slipway::deployer {
namespace {

Json RevisionJson(const AciRevision& revision) {
  return {{"subscription", revision.place.subscription},
          {"resource_group", revision.place.resource_group},
          {"location", revision.place.location},
          {"name", revision.place.name},
          {"spec", revision.spec},
          {"operation", revision.operation},
          {"retired", revision.retired},
          {"revision", revision.revision}};
}

AciRevision RevisionFrom(const Json& json) {
  return {.place = {.subscription = json.at("subscription"),
                    .resource_group = json.at("resource_group"),
                    .location = json.at("location"),
                    .name = json.at("name")},
          .spec = json.at("spec"),
          .operation = json.at("operation"),
          .retired = json.at("retired"),
          .revision = json.at("revision")};
}

std::optional<AciRevision> MaybeFrom(const Json& json) {
  if (json.is_null()) return std::nullopt;
  return RevisionFrom(json);
}

AciRecord RecordFrom(const Json& json) {
  AciRecord record{.key = {.workspace = json.at("workspace"), .service = json.at("service")},
                   .removed = json.at("removed"),
                   .endpoint = json.at("endpoint"),
                   .current = MaybeFrom(json.at("current")),
                   .candidate = MaybeFrom(json.at("candidate"))};
  for (const Json& revision : json.at("draining")) {
    record.draining.push_back(RevisionFrom(revision));
  }
  if (const Json& refused = json.at("refused"); !refused.is_null()) {
    record.refused = AciTrouble{.cause = refused.at("cause"),
                                .detail = refused.at("detail"),
                                .log_line = refused.at("log_line")};
  }
  return record;
}

}  // namespace

std::string AciRecordText(const AciRecord& record) {
  Json draining = Json::array();
  for (const AciRevision& revision : record.draining) draining.push_back(RevisionJson(revision));
  Json json = {{"workspace", record.key.workspace},
               {"service", record.key.service},
               {"removed", record.removed},
               {"endpoint", record.endpoint},
               {"current", record.current ? RevisionJson(*record.current) : Json()},
               {"candidate", record.candidate ? RevisionJson(*record.candidate) : Json()},
               {"draining", std::move(draining)},
               {"refused", nullptr}};
  if (record.refused) {
    json["refused"] = {{"cause", record.refused->cause},
                       {"detail", record.refused->detail},
                       {"log_line", record.refused->log_line}};
  }
  return DumpJson(json) + "\n";
}

Result<AciRecord> ParseAciRecord(std::string_view text) {
  AciRecord record;
  TRY(ReadRecord(text, [&record](const Json& json) { record = RecordFrom(json); }));
  return record;
}

}  // namespace slipway::deployer
