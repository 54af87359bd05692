// SPDX-License-Identifier: Apache-2.0
/// `scoring_load PORT PATH BODY CONNECTIONS SECONDS`: asks a server on 127.0.0.1 from that many
/// connections at once, each opened again where the server closes it, and prints one line of JSON:
/// answers a second, percentiles in microseconds, failures. One thread asks for all of them, so
/// that it leaves the server as much of the machine as it can.
#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/file.h"
#include "base/text.h"

namespace slipway::bench {
namespace {

using Steady = std::chrono::steady_clock;

UniqueFd Connect(int port) {
  UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int on = 1;
  ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    return UniqueFd();
  }
  return socket;
}

/// An answer that comes in pieces.
class Answer {
 public:
  /// True once the answer is whole.
  bool Add(std::string_view piece) {
    text_.append(piece);
    if (wanted_ == std::string::npos) ReadHead();
    return text_.size() >= wanted_;
  }
  bool is_200() const { return text_.starts_with("HTTP/1.1 200"); }
  bool keeps() const { return keeps_; }  ///< the connection goes on

 private:
  void ReadHead() {
    const std::size_t end = text_.find("\r\n\r\n");
    if (end == std::string::npos) return;
    const std::string head = ToLower(std::string_view(text_).substr(0, end));
    const std::size_t at = head.find("content-length: ");
    std::size_t size = 0;
    if (at != std::string::npos) {
      std::from_chars(head.data() + at + 16, head.data() + head.size(), size);
    }
    wanted_ = end + 4 + size;
    keeps_ = head.find("connection: close") == std::string::npos;
  }

  std::string text_;
  std::size_t wanted_ = std::string::npos;
  bool keeps_ = true;
};

struct Asker {
  UniqueFd socket;
  Answer answer;
  Steady::time_point began;
};

class Load {
 public:
  Load(int port, std::string message, std::size_t connections)
      : port_(port), message_(std::move(message)), askers_(connections) {}

  void Run(Steady::time_point end);
  std::vector<double>& microseconds() { return microseconds_; }
  std::int64_t failures() const { return failures_; }

 private:
  void Ask(Asker& asker);
  bool Open(Asker& asker);
  void Hear(Asker& asker);
  void End(Asker& asker, bool good);

  const int port_;
  const std::string message_;
  UniqueFd events_{::epoll_create1(EPOLL_CLOEXEC)};
  std::vector<Asker> askers_;
  std::vector<double> microseconds_;
  std::int64_t failures_ = 0;
};

bool Load::Open(Asker& asker) {
  asker.socket = Connect(port_);
  if (!asker.socket) return false;
  epoll_event event{.events = EPOLLIN, .data = {.ptr = &asker}};
  return ::epoll_ctl(events_.get(), EPOLL_CTL_ADD, asker.socket.get(), &event) == 0;
}

void Load::Ask(Asker& asker) {
  asker.answer = {};
  asker.began = Steady::now();
  const bool open = asker.socket || Open(asker);
  const bool sent = open && ::send(asker.socket.get(), message_.data(), message_.size(),
                                   MSG_NOSIGNAL) == static_cast<ssize_t>(message_.size());
  if (!sent) End(asker, false);
}

void Load::End(Asker& asker, bool good) {
  if (good) {
    microseconds_.push_back(
        std::chrono::duration<double, std::micro>(Steady::now() - asker.began).count());
  } else {
    ++failures_;
  }
  if (!good || !asker.answer.keeps()) asker.socket = UniqueFd();
}

void Load::Hear(Asker& asker) {
  std::array<char, 16 << 10> room;
  const ssize_t got = ::recv(asker.socket.get(), room.data(), room.size(), MSG_DONTWAIT);
  if (got > 0 && !asker.answer.Add({room.data(), static_cast<std::size_t>(got)})) return;
  End(asker, got > 0 && asker.answer.is_200());
  Ask(asker);
}

void Load::Run(Steady::time_point end) {
  std::array<epoll_event, 64> ready;
  for (Asker& asker : askers_) Ask(asker);
  while (Steady::now() < end) {
    const int count =
        ::epoll_wait(events_.get(), ready.data(), static_cast<int>(ready.size()), 100);
    for (int i = 0; i < count; ++i) {
      Hear(*static_cast<Asker*>(ready[static_cast<std::size_t>(i)].data.ptr));
    }
    for (Asker& asker : askers_) {
      if (!asker.socket) Ask(asker);
    }
  }
}

int Main(char** argv) {
  const std::string body = argv[3];
  std::string message = fmt::format(
      "POST {} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
      "Content-Length: {}\r\n\r\n{}",
      argv[2], body.size(), body);
  Load load(std::atoi(argv[1]), std::move(message), static_cast<std::size_t>(std::atoi(argv[4])));
  const auto began = Steady::now();
  load.Run(began + std::chrono::seconds(std::atoi(argv[5])));
  const double seconds = std::chrono::duration<double>(Steady::now() - began).count();
  std::vector<double>& all = load.microseconds();
  const double rate = static_cast<double>(all.size()) / seconds;
  if (all.empty()) all.push_back(0);
  std::sort(all.begin(), all.end());
  const auto at = [&all](double p) {
    return all[static_cast<std::size_t>(p * static_cast<double>(all.size() - 1))];
  };
  fmt::print(R"({{"rps": {:.1f}, "p50_us": {:.1f}, "p99_us": {:.1f}, "failures": {}}})"
             "\n",
             rate, at(0.5), at(0.99), load.failures());
  return load.failures() == 0 ? 0 : 1;
}

}  // namespace
}  // namespace slipway::bench

int main(int argc, char** argv) {
  if (argc == 6) return slipway::bench::Main(argv);
  std::fputs("usage: scoring_load PORT PATH BODY CONNECTIONS SECONDS\n", stderr);
  return 2;
}
