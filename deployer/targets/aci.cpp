// SPDX-License-Identifier: Apache-2.0
// Target `aci`: Azure Container Instances by Azure Resource Manager, api-version 2023-05-01.
#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <thread>

#include "base/digest.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/log.h"
#include "deployer/aci_service.h"
#include "deployer/deployer.h"
#include "deployer/process_probe.h"
#include "deployer/process_record.h"

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
        probes_(MakeProbeClient()) {}

  ~AciDriver() override {
    {
      const std::lock_guard lock(mutex_);
      quit_ = true;
    }
    wake_.notify_all();
    if (keeper_.joinable()) keeper_.join();
  }

  /// Finds the services an earlier program left.
  Result<void> Adopt() {
    TRY(MakeFolders(records_));
    TRY(MakeFolders(logs_));
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(records_, error)) {
      if (entry.path().extension() != ".json") continue;
      auto text = ReadFile(entry.path(), limits::kJsonBytes);
      auto record = text ? ParseAciRecord(*text) : Result<AciRecord>(text.error());
      if (record) {
        Add(*std::move(record));
      } else {
        log::Warn("service record skipped",
                  {{"file", entry.path().string()}, {"why", record.error().message}});
      }
    }
    if (error) return SystemError("cannot list " + records_.string(), error.value());
    keeper_ = std::thread([this] { Keep(); });
    return {};
  }

  Result<void> Apply(const DeploySpec& spec) override {
    const ServiceKey key{.workspace = spec.workspace, .service = spec.service};
    std::shared_ptr<AciService> service = Get(key);
    const bool is_new = service == nullptr;
    if (is_new) service = Add({.key = key});
    auto applied = service->Apply(spec);
    if (applied || !is_new) return applied;
    if (auto removed = Remove(key); !removed) {
      log::Warn("service not removed", {{"why", removed.error().message}});
    }
    return applied;
  }

  Result<Observed> Observe(const ServiceKey& key) override {
    auto service = Get(key);
    if (service == nullptr) return Missing(key);
    return service->Observe();
  }

  Result<std::string> Logs(const ServiceKey& key, std::int64_t lines) override {
    auto service = Get(key);
    if (service == nullptr) return Missing(key);
    return service->Logs(lines);
  }

  Result<void> Remove(const ServiceKey& key) override {
    auto service = Get(key);
    if (service == nullptr) return {};
    TRY(service->Remove());
    const std::lock_guard lock(mutex_);
    services_.erase(key);
    return {};
  }

  /// Container groups do not live beside the workspace service.
  Result<void> Suspend() override { return {}; }
  /// Takes up the removals that were cut off.
  Result<void> Resume() override {
    for (const auto& [key, service] : All()) {
      if (service->removed()) TRY(Remove(key));
    }
    return {};
  }

 private:
  static Error Missing(const ServiceKey& key) {
    return {.code = Code::kNotFound,
            .message = "target aci has no service " + key.service,
            .id = "Service.NotFound"};
  }

  std::shared_ptr<AciService> Get(const ServiceKey& key) {
    const std::lock_guard lock(mutex_);
    const auto found = services_.find(key);
    return found == services_.end() ? nullptr : found->second;
  }

  std::map<ServiceKey, std::shared_ptr<AciService>> All() {
    const std::lock_guard lock(mutex_);
    return services_;
  }

  std::shared_ptr<AciService> Add(AciRecord record) {
    const ServiceKey key = record.key;
    const std::string stem = RecordStem(key);
    AciService::Config config{.record = records_ / (stem + ".json"),
                              .log = logs_ / (stem + ".aci.log"),
                              .state = state_,
                              .client = client_,
                              .probes = *probes_,
                              .clock = clock_};
    const std::lock_guard lock(mutex_);
    auto& service = services_[key];
    if (service == nullptr) {
      service = std::make_shared<AciService>(std::move(config), std::move(record));
    }
    return service;
  }

  void Keep() {
    std::unique_lock lock(mutex_);
    while (!wake_.wait_for(lock, kTendPause, [this] { return quit_; })) {
      lock.unlock();
      for (const auto& [key, service] : All()) service->Tend();
      lock.lock();
    }
  }

  Clock& clock_;
  const fs::path records_, logs_;
  const std::string state_;
  AciClient client_;
  const std::unique_ptr<http::Client> probes_;
  std::mutex mutex_;  // guards services_ and quit_
  std::condition_variable wake_;
  std::map<ServiceKey, std::shared_ptr<AciService>> services_;
  bool quit_ = false;
  std::thread keeper_;
};

Result<std::unique_ptr<Driver>> Open(DriverContext context) {
  auto driver = std::make_unique<AciDriver>(
      context, ReadAciAccess([](const char* name) { return std::getenv(name); }));
  TRY(driver->Adopt());
  return std::unique_ptr<Driver>(std::move(driver));
}

}  // namespace

Target targets_aci() {
  return {.name = "aci", .summary = "A container group of Azure Container Instances", .open = Open};
}

}  // namespace slipway::deployer
