// SPDX-License-Identifier: Apache-2.0
/// `scoring_load PORT PATH BODY CONNECTIONS SECONDS`: asks a server on 127.0.0.1 from that many
/// connections at once, each opened again where the server closes it, and prints one line of JSON:
/// answers a second, percentiles in microseconds, failures. An answer counts once it is whole; one
/// that is no 200, or that says something else than the first, is a failure. One thread asks for
/// all of them and sleeps while none has an answer, so that it leaves the server as much of the
/// machine as it can.
#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/file.h"
#include "base/text.h"

namespace slipway::bench {
namespace {

using Steady = std::chrono::steady_clock;
using std::chrono::nanoseconds;

constexpr std::size_t kAnswerRoom = 16 << 10;
constexpr timeval kWait{.tv_sec = 0, .tv_usec = 100'000};

UniqueFd Connect(int port) {
  UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int on = 1;
  ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &kWait, sizeof kWait);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    return UniqueFd();
  }
  return socket;
}

/// The value of a header field, in lower case; nothing where there is none.
std::string FieldOf(std::string_view head, std::string_view name) {
  while (!head.empty()) {
    const std::string_view line = head.substr(0, head.find("\r\n"));
    head.remove_prefix(std::min(head.size(), line.size() + 2));
    const std::size_t colon = line.find(':');
    if (colon == name.size() && ToLower(line.substr(0, colon)) == name) {
      return ToLower(Trim(line.substr(colon + 1)));
    }
  }
  return {};
}

/// An answer that comes in pieces, into memory that the next one uses again.
class Answer {
 public:
  void Clear() { held_ = head_ = wanted_ = 0; }
  /// Where the next piece goes.
  std::span<char> room() {
    if (held_ == text_.size()) text_.resize(2 * text_.size());
    return std::span(text_).subspan(held_);
  }
  /// Takes what has come there. True once the answer is whole.
  bool Add(std::size_t count) {
    held_ += count;
    if (wanted_ == 0) ReadHead();
    return wanted_ > 0 && held_ >= wanted_;
  }
  bool is_200() const { return text().starts_with("HTTP/1.1 200"); }
  bool keeps() const { return keeps_; }  ///< the connection goes on
  std::string_view body() const { return text().substr(std::min(head_, held_)); }

 private:
  std::string_view text() const { return {text_.data(), held_}; }
  void ReadHead() {
    const std::size_t end = text().find("\r\n\r\n");
    if (end == std::string_view::npos) return;
    const std::string_view head = text().substr(0, end);
    const std::string length = FieldOf(head, "content-length");
    std::size_t size = 0;
    std::from_chars(length.data(), length.data() + length.size(), size);
    head_ = end + 4;
    wanted_ = head_ + size;
    keeps_ = FieldOf(head, "connection") != "close";
  }

  std::vector<char> text_ = std::vector<char>(kAnswerRoom);
  std::size_t held_ = 0, head_ = 0, wanted_ = 0;
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
  /// How long each good answer took.
  std::vector<nanoseconds>& times() { return times_; }
  std::int64_t failures() const { return failures_; }

 private:
  void Ask(Asker& asker);
  bool Open(Asker& asker);
  void Hear(Asker& asker, int flags);
  void HearSome();
  void End(Asker& asker, bool good);
  bool IsExpected(const Answer& answer);

  const int port_;
  const std::string message_;
  UniqueFd events_{::epoll_create1(EPOLL_CLOEXEC)};
  std::vector<Asker> askers_;
  Steady::time_point now_ = Steady::now();
  std::string expected_;  // the body of the first answer
  std::vector<nanoseconds> times_;
  std::int64_t failures_ = 0;
};

bool Load::Open(Asker& asker) {
  asker.socket = Connect(port_);
  if (!asker.socket) return false;
  epoll_event event{.events = EPOLLIN, .data = {.ptr = &asker}};
  return ::epoll_ctl(events_.get(), EPOLL_CTL_ADD, asker.socket.get(), &event) == 0;
}

void Load::Ask(Asker& asker) {
  asker.answer.Clear();
  asker.began = now_;
  const bool open = asker.socket || Open(asker);
  const bool sent = open && ::send(asker.socket.get(), message_.data(), message_.size(),
                                   MSG_NOSIGNAL) == static_cast<ssize_t>(message_.size());
  if (!sent) End(asker, false);
}

bool Load::IsExpected(const Answer& answer) {
  if (!answer.is_200()) return false;
  if (expected_.empty()) expected_ = answer.body();
  return answer.body() == expected_;
}

void Load::End(Asker& asker, bool good) {
  if (good) {
    times_.push_back(now_ - asker.began);
  } else {
    ++failures_;
  }
  if (!good || !asker.answer.keeps()) asker.socket = UniqueFd();
}

void Load::Hear(Asker& asker, int flags) {
  const std::span<char> room = asker.answer.room();
  const ssize_t got = ::recv(asker.socket.get(), room.data(), room.size(), flags);
  now_ = Steady::now();
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got > 0 && !asker.answer.Add(static_cast<std::size_t>(got))) return;
  End(asker, got > 0 && IsExpected(asker.answer));
  Ask(asker);
}

void Load::HearSome() {
  std::array<epoll_event, 64> ready;
  const int count = ::epoll_wait(events_.get(), ready.data(), static_cast<int>(ready.size()), 100);
  now_ = Steady::now();
  for (int i = 0; i < count; ++i) {
    Hear(*static_cast<Asker*>(ready[static_cast<std::size_t>(i)].data.ptr), MSG_DONTWAIT);
  }
}

void Load::Run(Steady::time_point end) {
  for (Asker& asker : askers_) Ask(asker);
  while (now_ < end) {
    if (askers_.size() == 1 && askers_[0].socket) {
      Hear(askers_[0], 0);
    } else {
      HearSome();
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
  std::vector<nanoseconds>& all = load.times();
  const double rate = static_cast<double>(all.size()) / seconds;
  if (all.empty()) all.emplace_back(0);
  std::sort(all.begin(), all.end());
  const auto at = [&all](double p) {
    const nanoseconds time = all[static_cast<std::size_t>(p * static_cast<double>(all.size() - 1))];
    return std::chrono::duration<double, std::micro>(time).count();
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
