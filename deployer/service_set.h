// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "base/result.h"
#include "deployer/deployer.h"

namespace slipway::deployer {

/// A service as one target runs it; see Driver. Thread-safe.
class RunningService {
 public:
  virtual ~RunningService() = default;
  virtual Result<void> Apply(const DeploySpec& spec) = 0;
  virtual Result<Observed> Observe() = 0;
  virtual Result<std::string> Logs(std::int64_t lines) = 0;
  /// Stops it and deletes what is kept of it; the object is of no more use.
  virtual Result<void> Remove() = 0;
  virtual Result<void> Suspend() { return {}; }
  virtual Result<void> Resume() { return {}; }
  /// Brings forward what takes time; called every now and then.
  virtual void Tend() {}
  /// Whether its removal has begun and is to be finished.
  virtual bool removed() { return false; }
};

/// The services of a target that keeps an object for each. Thread-safe. What the services refer to
/// must outlive the set.
class ServiceSet {
 public:
  /// An object for a service of which there is nothing yet.
  using Make = std::function<std::shared_ptr<RunningService>(const ServiceKey&)>;
  ServiceSet(std::string target, Make make) : target_(std::move(target)), make_(std::move(make)) {}
  ~ServiceSet();
  ServiceSet(const ServiceSet&) = delete;
  ServiceSet& operator=(const ServiceSet&) = delete;

  /// A service that was there before.
  void Insert(const ServiceKey& key, std::shared_ptr<RunningService> service);
  /// Applies; a service that is new and fails is removed again.
  Result<void> Apply(const DeploySpec& spec);
  /// kNotFound (id `Service.NotFound`), as for Logs.
  Result<Observed> Observe(const ServiceKey& key);
  Result<std::string> Logs(const ServiceKey& key, std::int64_t lines);
  Result<void> Remove(const ServiceKey& key);
  /// Finishes the removals that were cut off; one that fails is left for the next time.
  void FinishRemovals();
  /// All services at once; the first error there was.
  Result<void> Suspend();
  Result<void> Resume();
  /// From now on tends every service, with that pause in between.
  void TendEvery(std::chrono::milliseconds pause);

 private:
  using Services = std::map<ServiceKey, std::shared_ptr<RunningService>>;
  Services All();
  Result<std::shared_ptr<RunningService>> Find(const ServiceKey& key);
  Result<void> ForAll(const std::function<Result<void>(RunningService&)>& action);

  const std::string target_;
  const Make make_;
  std::mutex mutex_;  // guards services_ and quit_
  std::condition_variable wake_;
  Services services_;
  bool quit_ = false;
  std::thread keeper_;
};

}  // namespace slipway::deployer
