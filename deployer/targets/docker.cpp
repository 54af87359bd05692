// SPDX-License-Identifier: Apache-2.0
// Target `docker`: containers of a Docker Engine, spoken to over its API, 1.40 to 1.47.
#include <algorithm>
#include <cstdlib>

#include "base/digest.h"
#include "base/file.h"
#include "base/log.h"
#include "deployer/deployer.h"
#include "deployer/docker/service.h"
#include "deployer/process/scan.h"
#include "deployer/record.h"
#include "deployer/service_set.h"

namespace slipway::deployer {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::milliseconds kTendPause{500};

std::string DefaultEngine() {
  const char* host = std::getenv("DOCKER_HOST");
  return host != nullptr && *host != '\0' ? host : "unix:///var/run/docker.sock";
}

class DockerDriver final : public Driver {
 public:
  explicit DockerDriver(const DriverContext& context)
      : records_(fs::absolute(context.run_folder) / "docker"),
        logs_(fs::absolute(context.log_folder)),
        state_(Digest::OfText(records_.string()).hex().substr(0, kStateChars)),
        probes_(MakeProbeClient()),
        services_("docker", [this](const ServiceKey& key) { return Make({.key = key}); }) {}

  /// Finds the services an earlier program left.
  Result<void> Adopt() {
    TRY(MakeFolders(logs_));
    std::vector<ProcessId> known;
    const auto adopt = [&](const fs::path&, const std::string& text) -> Result<void> {
      DockerRecord record = TRY(ParseDockerRecord(text));
      known.push_back(record.relay.id);
      const ServiceKey key = record.key;
      services_.Insert(key, Make(std::move(record)));
      return {};
    };
    TRY(AdoptRecords(records_, adopt));
    for (const auto& [id, mark] : FindMarked(records_.string() + "/")) {
      if (std::find(known.begin(), known.end(), id) != known.end()) continue;
      if (auto ended = Terminate(id, kStrayGrace); !ended) {
        log::Warn("stray relay", {{"pid", id.pid}, {"why", ended.error().message}});
      }
    }
    services_.FinishRemovals();
    services_.TendEvery(kTendPause);
    return {};
  }

  Result<void> Apply(const DeploySpec& spec) override { return services_.Apply(spec); }
  Result<Observed> Observe(const ServiceKey& key) override { return services_.Observe(key); }
  Result<std::string> Logs(const ServiceKey& key, std::int64_t lines) override {
    return services_.Logs(key, lines);
  }
  Result<void> Remove(const ServiceKey& key) override { return services_.Remove(key); }
  Result<void> Suspend() override { return services_.Suspend(); }
  Result<void> Resume() override { return services_.Resume(); }

 private:
  static constexpr std::size_t kStateChars = 12;
  static constexpr std::chrono::milliseconds kStrayGrace{5'000};

  std::shared_ptr<DockerService> Make(DockerRecord record) {
    const std::string stem = RecordStem(record.key);
    return std::make_shared<DockerService>(
        DockerService::Config{.paths = {.record = records_ / (stem + ".json"),
                                        .log = logs_ / (stem + ".docker.log"),
                                        .relay_log = logs_ / (stem + ".relay.log")},
                              .state = state_,
                              .default_engine = DefaultEngine(),
                              .probes = *probes_},
        std::move(record));
  }

  const fs::path records_, logs_;
  const std::string state_;
  const std::unique_ptr<http::Client> probes_;
  ServiceSet services_;
};

Result<std::unique_ptr<Driver>> Open(const DriverContext& context) {
  auto driver = std::make_unique<DockerDriver>(context);
  TRY(driver->Adopt());
  return std::unique_ptr<Driver>(std::move(driver));
}

}  // namespace

Target targets_docker() {
  return {.name = "docker", .summary = "A container of a Docker Engine", .open = Open};
}

}  // namespace slipway::deployer
