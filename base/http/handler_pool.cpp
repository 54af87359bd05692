// SPDX-License-Identifier: Apache-2.0
#include "base/http/handler_pool.h"

#include <system_error>
#include <utility>

namespace slipway::http {

bool HandlerPool::Submit(std::function<void()> work) {
  {
    const std::lock_guard lock(mutex_);
    if (stopped_) return false;
    const auto waiting = static_cast<std::ptrdiff_t>(queue_.size()) - idle_;
    if (waiting >= 0 && std::cmp_less(threads_.size(), threads_max_)) {
      try {
        threads_.emplace_back([this] { RunThread(); });
        ++idle_;
      } catch (const std::system_error&) {
        if (threads_.empty()) return false;
      }
    } else if (waiting >= queue_max_) {
      return false;
    }
    queue_.push_back(std::move(work));
  }
  wake_.notify_one();
  return true;
}

void HandlerPool::Stop() {
  std::vector<std::thread> threads;
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    threads.swap(threads_);
  }
  wake_.notify_all();
  for (std::thread& thread : threads) thread.join();
}

void HandlerPool::RunThread() {
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [this] { return stopped_ || !queue_.empty(); });
    if (queue_.empty()) return;
    std::function<void()> work = std::move(queue_.front());
    queue_.pop_front();
    --idle_;
    lock.unlock();
    work();
    work = nullptr;
    lock.lock();
    ++idle_;
  }
}

}  // namespace slipway::http
