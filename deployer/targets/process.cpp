// SPDX-License-Identifier: Apache-2.0
// Target `process`: the image's program as a process of this machine. Linux 5.6 or newer for
// taking over sockets (pidfd_getfd).
#include <algorithm>
#include <iterator>

#include "base/file.h"
#include "base/log.h"
#include "deployer/deployer.h"
#include "deployer/process/probe.h"
#include "deployer/process/scan.h"
#include "deployer/process/service.h"
#include "deployer/record.h"
#include "deployer/service_set.h"

namespace slipway::deployer {
namespace {

namespace fs = std::filesystem;

class ProcessDriver final : public Driver {
 public:
  explicit ProcessDriver(const DriverContext& context)
      : records_(fs::absolute(context.run_folder) / "services"),
        logs_(fs::absolute(context.log_folder)),
        probes_(MakeProbeClient()),
        services_("process", [this](const ServiceKey& key) {
          return std::shared_ptr<RunningService>(ProcessService::New(key, PathsOf(key), *probes_));
        }) {}

  /// Finds the services an earlier program left.
  Result<void> Adopt() {
    TRY(MakeFolders(logs_));
    const auto marked = FindMarked(records_.string() + "/");
    const auto adopt = [&](const fs::path& file, const std::string& text) -> Result<void> {
      ServiceRecord record = TRY(ParseRecord(text));
      Adopt(file, std::move(record), marked);
      return {};
    };
    TRY(AdoptRecords(records_, adopt));
    services_.FinishRemovals();
    std::error_code error;
    for (const auto& [id, mark] : marked) {
      if (fs::exists(mark.substr(0, mark.rfind('#')), error)) continue;
      if (auto ended = Terminate(id, ServiceTimes().grace); !ended) {
        log::Warn("stray process", {{"pid", id.pid}, {"why", ended.error().message}});
      }
    }
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
  ServicePaths PathsOf(const ServiceKey& key) const {
    const std::string stem = RecordStem(key);
    return {.record = records_ / (stem + ".json"), .log = logs_ / (stem + ".log")};
  }

  void Adopt(const fs::path& file, ServiceRecord record,
             const std::vector<std::pair<ProcessId, std::string>>& marked) {
    const ServiceKey key = record.key;
    std::vector<std::pair<ProcessId, std::string>> own;
    std::copy_if(marked.begin(), marked.end(), std::back_inserter(own), [&file](const auto& item) {
      return item.second.starts_with(file.string() + "#");
    });
    services_.Insert(key, ProcessService::Adopt(std::move(record), PathsOf(key), *probes_, own));
  }

  const fs::path records_, logs_;
  const std::unique_ptr<http::Client> probes_;
  ServiceSet services_;
};

Result<std::unique_ptr<Driver>> Open(const DriverContext& context) {
  auto driver = std::make_unique<ProcessDriver>(context);
  TRY(driver->Adopt());
  return std::unique_ptr<Driver>(std::move(driver));
}

}  // namespace

Target targets_process() {
  return {.name = "process",
          .summary = "A process of this machine",
          .open = Open,
          .runs_unpacked = true};
}

}  // namespace slipway::deployer
