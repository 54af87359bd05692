// SPDX-License-Identifier: Apache-2.0
#include "deployer/docker/record.h"

#include <nlohmann/json.hpp>

#include "base/json.h"
#include "deployer/record.h"
#include "deployer/relay/balance.h"

namespace slipway::deployer {
namespace {

Json RevisionJson(const DockerRevision& revision) {
  return {{"container", revision.container},
          {"image", revision.image},
          {"spec", revision.spec},
          {"upstream", revision.upstream},
          {"revision", revision.revision}};
}

Json RevisionJson(const std::optional<DockerRevision>& revision) {
  return revision ? RevisionJson(*revision) : Json();
}

DockerRevision RevisionFrom(const Json& json) {
  return {.container = json.at("container"),
          .image = json.at("image"),
          .spec = json.at("spec"),
          .upstream = json.at("upstream"),
          .revision = json.at("revision")};
}

std::optional<DockerRevision> MaybeRevisionFrom(const Json& json) {
  if (json.is_null()) return std::nullopt;
  return RevisionFrom(json);
}

std::optional<DockerTrouble> TroubleFrom(const Json& json) {
  if (json.is_null()) return std::nullopt;
  return DockerTrouble{
      .cause = json.at("cause"), .detail = json.at("detail"), .log_line = json.at("log_line")};
}

/// Records of earlier versions have none.
std::optional<DockerFront> FrontFrom(const Json& json) {
  const auto found = json.find("front");
  if (found == json.end() || found->is_null()) return std::nullopt;
  DockerFront front{.upstreams = {}, .revision = found->at("revision")};
  for (const Json& item : found->at("upstreams")) {
    front.upstreams.push_back({.url = item.at("url"), .weight = item.at("weight")});
  }
  return front;
}

DockerRecord RecordFrom(const Json& json) {
  DockerRecord record{.key = {.workspace = json.at("workspace"), .service = json.at("service")},
                      .engine = json.at("engine"),
                      .host = json.at("host"),
                      .port = json.at("port"),
                      .suspended = json.at("suspended"),
                      .removed = json.at("removed"),
                      .current = MaybeRevisionFrom(json.at("current")),
                      .candidate = MaybeRevisionFrom(json.at("candidate")),
                      .front = FrontFrom(json),
                      .refused = TroubleFrom(json.at("refused"))};
  for (const Json& revision : json.at("draining")) {
    record.draining.push_back(RevisionFrom(revision));
  }
  const Json& relay = json.at("relay");
  record.relay = {.id = {.pid = relay.at("pid"), .start_ticks = relay.at("start_ticks")},
                  .control_port = relay.at("control_port"),
                  .token = relay.at("token")};
  return record;
}

}  // namespace

std::string DockerRecordText(const DockerRecord& record) {
  Json draining = Json::array();
  for (const DockerRevision& revision : record.draining) draining.push_back(RevisionJson(revision));
  Json refused;
  if (record.refused) {
    refused = {{"cause", record.refused->cause},
               {"detail", record.refused->detail},
               {"log_line", record.refused->log_line}};
  }
  Json front;
  if (record.front) {
    front = {{"upstreams", ToJson(record.front->upstreams)}, {"revision", record.front->revision}};
  }
  return DumpJson({{"workspace", record.key.workspace},
                   {"service", record.key.service},
                   {"engine", record.engine},
                   {"host", record.host},
                   {"port", record.port},
                   {"suspended", record.suspended},
                   {"removed", record.removed},
                   {"current", RevisionJson(record.current)},
                   {"candidate", RevisionJson(record.candidate)},
                   {"front", std::move(front)},
                   {"draining", std::move(draining)},
                   {"refused", std::move(refused)},
                   {"relay",
                    {{"pid", record.relay.id.pid},
                     {"start_ticks", record.relay.id.start_ticks},
                     {"control_port", record.relay.control_port},
                     {"token", record.relay.token}}}}) +
         "\n";
}

Result<DockerRecord> ParseDockerRecord(std::string_view text) {
  DockerRecord record;
  TRY(ReadRecord(text, [&record](const Json& json) { record = RecordFrom(json); }));
  return record;
}

}  // namespace slipway::deployer
