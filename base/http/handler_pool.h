// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace slipway::http {

/// A bounded number of threads, started as they are needed, with a bounded queue. Thread-safe.
class HandlerPool {
 public:
  HandlerPool(int threads_max, int queue_max) : threads_max_(threads_max), queue_max_(queue_max) {}
  ~HandlerPool() { Stop(); }
  HandlerPool(const HandlerPool&) = delete;
  HandlerPool& operator=(const HandlerPool&) = delete;

  /// Runs `work` on a thread of the pool as soon as one is free. False, and `work` is not run, if
  /// `queue_max` others wait already or the pool has stopped.
  bool Submit(std::function<void()> work);
  /// Runs what was submitted and ends all threads.
  void Stop();

 private:
  void RunThread();

  const int threads_max_;
  const int queue_max_;
  std::mutex mutex_;  // guards all below
  std::condition_variable wake_;
  std::deque<std::function<void()>> queue_;
  std::vector<std::thread> threads_;
  int idle_ = 0;
  bool stopped_ = false;
};

}  // namespace slipway::http
