// SPDX-License-Identifier: Apache-2.0
// Target `docker`: containers of a Docker Engine, spoken to over its API, 1.40 to 1.47.
#include <algorithm>
#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <thread>

#include "base/digest.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/log.h"
#include "deployer/deployer.h"
#include "deployer/docker_service.h"
#include "deployer/process_record.h"
#include "deployer/process_scan.h"

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
        probes_(MakeProbeClient()) {}

  ~DockerDriver() override {
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
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(records_, error)) {
      if (entry.path().extension() == ".json") files.push_back(entry.path());
    }
    if (error) return SystemError("cannot list " + records_.string(), error.value());
    std::vector<ProcessId> known;
    for (const fs::path& file : files) AdoptOne(file, known);
    for (const auto& [id, mark] : FindMarked(records_.string() + "/")) {
      if (std::find(known.begin(), known.end(), id) != known.end()) continue;
      if (auto ended = Terminate(id, kStrayGrace); !ended) {
        log::Warn("stray relay", {{"pid", id.pid}, {"why", ended.error().message}});
      }
    }
    keeper_ = std::thread([this] { Keep(); });
    return {};
  }

  Result<void> Apply(const DeploySpec& spec) override {
    const ServiceKey key{.workspace = spec.workspace, .service = spec.service};
    std::shared_ptr<DockerService> service = Get(key);
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

  Result<void> Suspend() override {
    return ForAll([](DockerService& service) { return service.Suspend(); });
  }
  Result<void> Resume() override {
    return ForAll([](DockerService& service) { return service.Resume(); });
  }

 private:
  static constexpr std::size_t kStateChars = 12;
  static constexpr std::chrono::milliseconds kStrayGrace{5'000};

  static Error Missing(const ServiceKey& key) {
    return {.code = Code::kNotFound,
            .message = "target docker has no service " + key.service,
            .id = "Service.NotFound"};
  }

  std::shared_ptr<DockerService> Get(const ServiceKey& key) {
    const std::lock_guard lock(mutex_);
    const auto found = services_.find(key);
    return found == services_.end() ? nullptr : found->second;
  }

  std::shared_ptr<DockerService> Add(DockerRecord record) {
    const ServiceKey key = record.key;
    const std::string stem = RecordStem(key);
    DockerService::Config config{.paths = {.record = records_ / (stem + ".json"),
                                           .log = logs_ / (stem + ".docker.log"),
                                           .relay_log = logs_ / (stem + ".relay.log")},
                                 .state = state_,
                                 .default_engine = DefaultEngine(),
                                 .probes = *probes_};
    const std::lock_guard lock(mutex_);
    auto& service = services_[key];
    if (service == nullptr) {
      service = std::make_shared<DockerService>(std::move(config), std::move(record));
    }
    return service;
  }

  void AdoptOne(const fs::path& file, std::vector<ProcessId>& known) {
    auto text = ReadFile(file, limits::kJsonBytes);
    auto record = text ? ParseDockerRecord(*text) : Result<DockerRecord>(text.error());
    if (!record) {
      log::Warn("service record skipped",
                {{"file", file.string()}, {"why", record.error().message}});
      return;
    }
    known.push_back(record->relay.id);
    const bool removed = record->removed;
    const ServiceKey key = record->key;
    Add(*std::move(record));
    if (!removed) return;
    if (auto done = Remove(key); !done) {
      log::Warn("service not removed", {{"why", done.error().message}});
    }
  }

  std::vector<std::shared_ptr<DockerService>> All() {
    const std::lock_guard lock(mutex_);
    std::vector<std::shared_ptr<DockerService>> all;
    for (const auto& [key, service] : services_) all.push_back(service);
    return all;
  }

  void Keep() {
    std::unique_lock lock(mutex_);
    while (!wake_.wait_for(lock, kTendPause, [this] { return quit_; })) {
      lock.unlock();
      for (const auto& service : All()) service->Tend();
      lock.lock();
    }
  }

  template <class Action>
  Result<void> ForAll(Action action) {
    const auto all = All();
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
  const std::string state_;
  const std::unique_ptr<http::Client> probes_;
  std::mutex mutex_;  // guards services_ and quit_
  std::condition_variable wake_;
  std::map<ServiceKey, std::shared_ptr<DockerService>> services_;
  bool quit_ = false;
  std::thread keeper_;
};

Result<std::unique_ptr<Driver>> Open(DriverContext context) {
  auto driver = std::make_unique<DockerDriver>(context);
  TRY(driver->Adopt());
  return std::unique_ptr<Driver>(std::move(driver));
}

}  // namespace

Target targets_docker() {
  return {.name = "docker", .summary = "A container of a Docker Engine", .open = Open};
}

}  // namespace slipway::deployer
