// SPDX-License-Identifier: Apache-2.0
#include "deployer/process/record.h"

#include <nlohmann/json.hpp>

#include "base/json.h"
#include "deployer/relay/balance.h"

namespace slipway::deployer {
namespace {

Json SpecJson(const DeploySpec& spec) {
  return {{"workspace", spec.workspace},
          {"service", spec.service},
          {"revision", spec.revision},
          {"image_reference", spec.image_reference},
          {"image_digest", spec.image_digest},
          {"rootfs", spec.rootfs.string()},
          {"entrypoint", spec.entrypoint},
          {"environment", spec.environment},
          {"working_folder", spec.working_folder},
          {"host", spec.host},
          {"port", spec.port},
          {"cpu_cores", spec.cpu_cores},
          {"memory_gb", spec.memory_gb},
          {"labels", spec.labels},
          {"upstreams", ToJson(spec.upstreams)}};
}

/// Records of earlier versions have none.
std::vector<Upstream> UpstreamsFrom(const Json& json) {
  std::vector<Upstream> upstreams;
  for (const Json& item : json.value("upstreams", Json::array())) {
    upstreams.push_back({.url = item.at("url"), .weight = item.at("weight")});
  }
  return upstreams;
}

DeploySpec SpecFrom(const Json& json) {
  return {.workspace = json.at("workspace"),
          .service = json.at("service"),
          .revision = json.at("revision"),
          .image_reference = json.at("image_reference"),
          .image_digest = json.at("image_digest"),
          .rootfs = json.at("rootfs").get<std::string>(),
          .entrypoint = json.at("entrypoint"),
          .environment = json.at("environment"),
          .working_folder = json.at("working_folder"),
          .host = json.at("host"),
          .port = json.at("port"),
          .cpu_cores = json.at("cpu_cores"),
          .memory_gb = json.at("memory_gb"),
          .labels = json.at("labels"),
          .upstreams = UpstreamsFrom(json)};
}

Json InstanceJson(const std::optional<InstanceRecord>& instance) {
  if (!instance) return nullptr;
  return {{"spec", SpecJson(instance->spec)},        {"pid", instance->id.pid},
          {"start_ticks", instance->id.start_ticks}, {"token", instance->token},
          {"listen_fd", instance->listen_fd},        {"health_port", instance->health_port}};
}

std::optional<InstanceRecord> InstanceFrom(const Json& json) {
  if (json.is_null()) return std::nullopt;
  return InstanceRecord{.spec = SpecFrom(json.at("spec")),
                        .id = {.pid = json.at("pid"), .start_ticks = json.at("start_ticks")},
                        .token = json.at("token"),
                        .listen_fd = json.at("listen_fd"),
                        .health_port = json.at("health_port")};
}

ServiceRecord RecordFrom(const Json& json) {
  return {.key = {.workspace = json.at("workspace"), .service = json.at("service")},
          .host = json.at("host"),
          .port = json.at("port"),
          .suspended = json.at("suspended"),
          .removed = json.at("removed"),
          .restarts = json.at("restarts"),
          .current = InstanceFrom(json.at("current")),
          .candidate = InstanceFrom(json.at("candidate"))};
}

}  // namespace

std::string RecordText(const ServiceRecord& record) {
  return DumpJson({{"workspace", record.key.workspace},
                   {"service", record.key.service},
                   {"host", record.host},
                   {"port", record.port},
                   {"suspended", record.suspended},
                   {"removed", record.removed},
                   {"restarts", record.restarts},
                   {"current", InstanceJson(record.current)},
                   {"candidate", InstanceJson(record.candidate)}}) +
         "\n";
}

Result<ServiceRecord> ParseRecord(std::string_view text) {
  ServiceRecord record;
  TRY(ReadRecord(text, [&record](const Json& json) { record = RecordFrom(json); }));
  return record;
}

bool SameSpec(const DeploySpec& a, const DeploySpec& b) { return SpecJson(a) == SpecJson(b); }

}  // namespace slipway::deployer
