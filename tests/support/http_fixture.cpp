// SPDX-License-Identifier: Apache-2.0
#include "tests/support/http_fixture.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace slipway::testing {
namespace {

class FunctionReader final : public http::Reader {
 public:
  explicit FunctionReader(std::function<Result<std::string>()> next) : next_(std::move(next)) {}
  Result<std::size_t> Read(std::span<std::byte> buffer) override {
    if (held_.empty()) held_ = TRY(next_());
    const std::size_t count = std::min(buffer.size(), held_.size());
    std::memcpy(buffer.data(), held_.data(), count);
    held_.erase(0, count);
    return count;
  }

 private:
  std::function<Result<std::string>()> next_;
  std::string held_;
};

}  // namespace

http::ServerOptions LocalOptions() {
  http::ServerOptions options;
  options.listen = {"127.0.0.1:0"};
  options.handler_threads = 4;
  return options;
}

std::unique_ptr<http::Server> StartServer(http::ServerOptions options, http::Handler handler) {
  auto server = http::Server::Start(std::move(options), std::move(handler));
  if (!server) {
    std::fprintf(stderr, "%s\n", server.error().message.c_str());
    std::abort();
  }
  return *std::move(server);
}

std::string UrlOf(const http::Server& server) { return "http://" + server.addresses().front(); }

std::shared_ptr<http::Reader> ReaderOf(std::function<Result<std::string>()> next) {
  return std::make_shared<FunctionReader>(std::move(next));
}

Result<std::string> ReadToEnd(http::Reader& reader) {
  std::string text;
  std::vector<std::byte> block(64 << 10);
  while (true) {
    const std::size_t got = TRY(reader.Read(block));
    if (got == 0) return text;
    text.append(reinterpret_cast<const char*>(block.data()), got);
  }
}

}  // namespace slipway::testing
