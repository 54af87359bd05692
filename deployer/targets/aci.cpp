// SPDX-License-Identifier: Apache-2.0
// Target `aci`: Azure Container Instances by Azure Resource Manager, api-version 2023-05-01.
#include <cstdlib>

#include "base/digest.h"
#include "base/file.h"
#include "deployer/aci/service.h"
#include "deployer/deployer.h"
#include "deployer/process/probe.h"
#include "deployer/record.h"
#include "deployer/service_set.h"

namespace slipway::deployer {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::milliseconds kTendPause{5'000};

class AciDriver final : public Driver {
 public:
  AciDriver(const DriverContext& context, AciAccess access)
      : clock_(context.clock),
        records_(fs::absolute(context.run_folder) / "aci"),
        logs_(fs::absolute(context.log_folder)),
        state_(Digest::OfText(records_.string()).hex()),
        client_(std::move(access), context.clock),
        probes_(MakeProbeClient()),
        services_("aci", [this](const ServiceKey& key) { return Make({.key = key}); }) {}

  /// Finds the services an earlier program left.
  Result<void> Adopt() {
    TRY(MakeFolders(logs_));
    const auto adopt = [this](const fs::path&, const std::string& text) -> Result<void> {
      AciRecord record = TRY(ParseAciRecord(text));
      const ServiceKey key = record.key;
      services_.Insert(key, Make(std::move(record)));
      return {};
    };
    TRY(AdoptRecords(records_, adopt));
    services_.TendEvery(kTendPause);
    return {};
  }

  Result<void> Apply(const DeploySpec& spec) override { return services_.Apply(spec); }
  Result<Observed> Observe(const ServiceKey& key) override { return services_.Observe(key); }
  Result<std::string> Logs(const ServiceKey& key, std::int64_t lines) override {
    return services_.Logs(key, lines);
  }
  Result<void> Remove(const ServiceKey& key) override { return services_.Remove(key); }
  /// Container groups do not live beside the workspace service.
  Result<void> Suspend() override { return {}; }
  Result<void> Resume() override {
    services_.FinishRemovals();
    return {};
  }

 private:
  std::shared_ptr<AciService> Make(AciRecord record) {
    const std::string stem = RecordStem(record.key);
    return std::make_shared<AciService>(AciService::Config{.record = records_ / (stem + ".json"),
                                                           .log = logs_ / (stem + ".aci.log"),
                                                           .state = state_,
                                                           .client = client_,
                                                           .probes = *probes_,
                                                           .clock = clock_},
                                        std::move(record));
  }

  Clock& clock_;
  const fs::path records_, logs_;
  const std::string state_;
  AciClient client_;
  const std::unique_ptr<http::Client> probes_;
  ServiceSet services_;
};

Result<std::unique_ptr<Driver>> Open(const DriverContext& context) {
  auto driver = std::make_unique<AciDriver>(
      context, ReadAciAccess([](const char* name) { return std::getenv(name); }));
  TRY(driver->Adopt());
  return std::unique_ptr<Driver>(std::move(driver));
}

}  // namespace

Target targets_aci() {
  return {.name = "aci",
          .summary = "A container group of Azure Container Instances",
          .open = Open,
          .no_split = "Azure has nothing that divides requests between container groups"};
}

}  // namespace slipway::deployer
