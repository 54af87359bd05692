// SPDX-License-Identifier: Apache-2.0
// Target `process`: the image's program as a process of this machine. Linux 5.6 or newer for
// taking over sockets (pidfd_getfd).
#include <algorithm>
#include <mutex>

#include "base/file.h"
#include "base/limits.h"
#include "base/log.h"
#include "deployer/deployer.h"
#include "deployer/process_log.h"
#include "deployer/process_probe.h"
#include "deployer/process_scan.h"
#include "deployer/process_service.h"

namespace slipway::deployer {
namespace {

namespace fs = std::filesystem;

class ProcessDriver final : public Driver {
 public:
  explicit ProcessDriver(const DriverContext& context)
      : records_(fs::absolute(context.run_folder) / "services"),
        logs_(fs::absolute(context.log_folder)),
        probes_(MakeProbeClient()) {}

  /// Finds the services an earlier program left.
  Result<void> Adopt() {
    TRY(MakeFolders(records_));
    TRY(MakeFolders(logs_));
    const auto marked = FindMarked(records_.string() + "/");
    std::error_code error;
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(records_, error)) {
      if (entry.path().extension() == ".json") files.push_back(entry.path());
    }
    if (error) return SystemError("cannot list " + records_.string(), error.value());
    for (const fs::path& file : files) AdoptOne(file, marked);
    for (const auto& [id, mark] : marked) {
      if (fs::exists(mark.substr(0, mark.rfind('#')), error)) continue;
      if (auto ended = Terminate(id, ServiceTimes().grace); !ended) {
        log::Warn("stray process", {{"pid", id.pid}, {"why", ended.error().message}});
      }
    }
    return {};
  }

  Result<void> Apply(const DeploySpec& spec) override {
    const ServiceKey key{.workspace = spec.workspace, .service = spec.service};
    std::shared_ptr<ProcessService> service = Get(key);
    const bool is_new = service == nullptr;
    if (is_new) service = Add(key);
    auto applied = service->Apply(spec);
    if (!applied && is_new) {
      if (auto removed = Remove(key); !removed) {
        log::Warn("service not removed", {{"why", removed.error().message}});
      }
    }
    return applied;
  }

  Result<Observed> Observe(const ServiceKey& key) override {
    auto service = Get(key);
    if (service == nullptr) return Missing(key);
    return service->Observe();
  }

  Result<std::string> Logs(const ServiceKey& key, std::int64_t lines) override {
    if (Get(key) == nullptr) return Missing(key);
    return TailLog(PathsOf(key).log, lines);
  }

  Result<void> Remove(const ServiceKey& key) override {
    auto service = Get(key);
    if (service == nullptr) return {};
    TRY(service->Remove());
    const std::lock_guard lock(mutex_);
    services_.erase(key);
    return {};
  }

  Result<void> Suspend() override {
    return ForAll([](ProcessService& service) { return service.Suspend(); });
  }
  Result<void> Resume() override {
    return ForAll([](ProcessService& service) { return service.Resume(); });
  }

 private:
  static Error Missing(const ServiceKey& key) {
    return {.code = Code::kNotFound,
            .message = "target process has no service " + key.service,
            .id = "Service.NotFound"};
  }

  ServicePaths PathsOf(const ServiceKey& key) const {
    const std::string stem = RecordStem(key);
    return {.record = records_ / (stem + ".json"), .log = logs_ / (stem + ".log")};
  }

  std::shared_ptr<ProcessService> Get(const ServiceKey& key) {
    const std::lock_guard lock(mutex_);
    const auto found = services_.find(key);
    return found == services_.end() ? nullptr : found->second;
  }

  std::shared_ptr<ProcessService> Add(const ServiceKey& key) {
    const std::lock_guard lock(mutex_);
    auto& service = services_[key];
    if (service == nullptr) service = ProcessService::New(key, PathsOf(key), *probes_);
    return service;
  }

  void AdoptOne(const fs::path& file,
                const std::vector<std::pair<ProcessId, std::string>>& marked) {
    auto text = ReadFile(file, limits::kJsonBytes);
    auto record = text ? ParseRecord(*text) : Result<ServiceRecord>(text.error());
    if (!record) {
      log::Warn("service record skipped",
                {{"file", file.string()}, {"why", record.error().message}});
      return;
    }
    const ServiceKey key = record->key;
    const bool removed = record->removed;
    std::vector<std::pair<ProcessId, std::string>> own;
    std::copy_if(marked.begin(), marked.end(), std::back_inserter(own), [&file](const auto& item) {
      return item.second.starts_with(file.string() + "#");
    });
    {
      const std::lock_guard lock(mutex_);
      services_[key] = ProcessService::Adopt(*std::move(record), PathsOf(key), *probes_, own);
    }
    if (!removed) return;
    if (auto done = Remove(key); !done) {
      log::Warn("service not removed", {{"why", done.error().message}});
    }
  }

  template <class Action>
  Result<void> ForAll(Action action) {
    std::vector<std::shared_ptr<ProcessService>> all;
    {
      const std::lock_guard lock(mutex_);
      for (const auto& [key, service] : services_) all.push_back(service);
    }
    std::vector<Result<void>> results(all.size());
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < all.size(); ++i) {
      threads.emplace_back([&, i] { results[i] = action(*all[i]); });
    }
    for (std::thread& thread : threads) thread.join();
    for (Result<void>& result : results) {
      if (!result) return result;
    }
    return {};
  }

  const fs::path records_, logs_;
  const std::unique_ptr<http::Client> probes_;
  std::mutex mutex_;  // guards services_
  std::map<ServiceKey, std::shared_ptr<ProcessService>> services_;
};

Result<std::unique_ptr<Driver>> Open(DriverContext context) {
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
