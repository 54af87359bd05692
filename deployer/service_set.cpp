// SPDX-License-Identifier: Apache-2.0
#include "deployer/service_set.h"

#include <utility>
#include <vector>

#include "base/log.h"

namespace slipway::deployer {

ServiceSet::~ServiceSet() {
  {
    const std::lock_guard lock(mutex_);
    quit_ = true;
  }
  wake_.notify_all();
  if (keeper_.joinable()) keeper_.join();
}

void ServiceSet::Insert(const ServiceKey& key, std::shared_ptr<RunningService> service) {
  const std::lock_guard lock(mutex_);
  services_[key] = std::move(service);
}

Result<void> ServiceSet::Apply(const DeploySpec& spec) {
  const ServiceKey key{.workspace = spec.workspace, .service = spec.service};
  std::shared_ptr<RunningService> service;
  bool is_new = false;
  {
    const std::lock_guard lock(mutex_);
    auto& known = services_[key];
    is_new = known == nullptr;
    if (is_new) known = make_(key);
    service = known;
  }
  auto applied = service->Apply(spec);
  if (applied || !is_new) return applied;
  if (auto removed = Remove(key); !removed) {
    log::Warn("service not removed", {{"why", removed.error().message}});
  }
  return applied;
}

Result<Observed> ServiceSet::Observe(const ServiceKey& key) { return TRY(Find(key))->Observe(); }

Result<std::string> ServiceSet::Logs(const ServiceKey& key, std::int64_t lines) {
  return TRY(Find(key))->Logs(lines);
}

Result<void> ServiceSet::Remove(const ServiceKey& key) {
  const auto service = Find(key);
  if (!service) return {};
  TRY((*service)->Remove());
  const std::lock_guard lock(mutex_);
  services_.erase(key);
  return {};
}

void ServiceSet::FinishRemovals() {
  for (const auto& [key, service] : All()) {
    if (!service->removed()) continue;
    if (auto done = Remove(key); !done) {
      log::Warn("service not removed", {{"why", done.error().message}});
    }
  }
}

Result<void> ServiceSet::Suspend() {
  return ForAll([](RunningService& service) { return service.Suspend(); });
}

Result<void> ServiceSet::Resume() {
  return ForAll([](RunningService& service) { return service.Resume(); });
}

void ServiceSet::TendEvery(std::chrono::milliseconds pause) {
  keeper_ = std::thread([this, pause] {
    std::unique_lock lock(mutex_);
    while (!wake_.wait_for(lock, pause, [this] { return quit_; })) {
      lock.unlock();
      for (const auto& [key, service] : All()) service->Tend();
      lock.lock();
    }
  });
}

ServiceSet::Services ServiceSet::All() {
  const std::lock_guard lock(mutex_);
  return services_;
}

Result<std::shared_ptr<RunningService>> ServiceSet::Find(const ServiceKey& key) {
  const std::lock_guard lock(mutex_);
  const auto found = services_.find(key);
  if (found != services_.end()) return found->second;
  return Error{.code = Code::kNotFound,
               .message = "target " + target_ + " has no service " + key.service,
               .id = "Service.NotFound"};
}

Result<void> ServiceSet::ForAll(const std::function<Result<void>(RunningService&)>& action) {
  const Services all = All();
  std::vector<Result<void>> results(all.size());
  std::vector<std::thread> threads;
  std::size_t next = 0;
  for (const auto& [key, service] : all) {
    threads.emplace_back(
        [&action, &result = results[next++], &service = *service] { result = action(service); });
  }
  for (std::thread& thread : threads) thread.join();
  for (Result<void>& result : results) {
    if (!result) return result;
  }
  return {};
}

}  // namespace slipway::deployer
