// SPDX-License-Identifier: Apache-2.0
#include "workspace/event_stream.h"

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>

#include "base/json.h"

namespace slipway::workspace {
namespace {

constexpr std::chrono::milliseconds kKeepAlive{10'000};
constexpr std::int64_t kStreamsMax = 16;

std::string Format(const OperationEvent& event) {
  const Json data{{"text", event.text}, {"percent", event.percent}};
  return "id: " + std::to_string(event.number) + "\nevent: " + event.kind +
         "\ndata: " + DumpJson(data) + "\n\n";
}

class EventStream final : public http::Reader {
 public:
  EventStream(Operations& operations, std::atomic<std::int64_t>& open,
              const EventStreamOptions& options)
      : operations_(operations), open_(open), id_(options.operation_id), after_(options.after) {}
  ~EventStream() override { --open_; }

  Result<std::size_t> Read(std::span<std::byte> buffer) override {
    if (text_.empty() && !ended_) TRY(Fill());
    const std::size_t size = std::min(buffer.size(), text_.size());
    std::memcpy(buffer.data(), text_.data(), size);
    text_.erase(0, size);
    return size;
  }

 private:
  Result<void> Fill() {
    const Operations::News news = TRY(operations_.Wait(id_, after_, kKeepAlive));
    for (const OperationEvent& event : news.events) {
      after_ = event.number;
      text_ += Format(event);
    }
    if (!news.ended && news.events.empty()) text_ = ": still running\n\n";
    if (!news.ended) return {};
    ended_ = true;
    const api::Operation operation = TRY(operations_.Get(id_));
    if (!operation.ended_time.empty()) {
      text_ += "event: end\ndata: " + DumpJson(ToJson(operation)) + "\n\n";
    }
    return {};
  }

  Operations& operations_;
  std::atomic<std::int64_t>& open_;
  const std::string id_;
  std::int64_t after_;
  std::string text_;
  bool ended_ = false;
};

}  // namespace

Result<std::shared_ptr<http::Reader>> OpenEventStream(Operations& operations,
                                                      std::atomic<std::int64_t>& open,
                                                      const EventStreamOptions& options) {
  TRY(operations.Get(options.operation_id));
  if (++open > kStreamsMax) {
    --open;
    return Error{.code = Code::kResourceExhausted,
                 .message = std::to_string(kStreamsMax) + " event streams are open already",
                 .id = "Operation.QueueFull",
                 .fix = "poll the operation instead"};
  }
  return std::shared_ptr<http::Reader>(std::make_shared<EventStream>(operations, open, options));
}

}  // namespace slipway::workspace
