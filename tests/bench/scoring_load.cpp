// SPDX-License-Identifier: Apache-2.0
/// `scoring_load PORT PATH BODY CONNECTIONS SECONDS`: asks a server on 127.0.0.1 from that many
/// connections at once, each opened again where the server closes it, and prints one line of JSON:
/// answers a second, percentiles in microseconds, failures.
#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
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

/// One answer. `keep`: whether the connection goes on. False where there is no whole answer of 200.
bool ReadAnswer(int fd, bool& keep) {
  std::string text;
  std::size_t wanted = std::string::npos;
  keep = true;
  char room[16 << 10];
  while (text.size() < wanted) {
    const ssize_t got = ::recv(fd, room, sizeof room, 0);
    if (got <= 0) return false;
    text.append(room, static_cast<std::size_t>(got));
    const std::size_t end = text.find("\r\n\r\n");
    if (wanted != std::string::npos || end == std::string::npos) continue;
    const std::string head = ToLower(std::string_view(text).substr(0, end));
    const std::size_t at = head.find("content-length: ");
    std::size_t size = 0;
    if (at != std::string::npos) {
      std::from_chars(head.data() + at + 16, head.data() + head.size(), size);
    }
    wanted = end + 4 + size;
    keep = head.find("connection: close") == std::string::npos;
  }
  return text.starts_with("HTTP/1.1 200");
}

struct Tally {
  std::vector<double> microseconds;
  std::int64_t failures = 0;
};

void Ask(int port, const std::string& message, Steady::time_point end, Tally& tally) {
  UniqueFd socket;
  while (Steady::now() < end) {
    const auto began = Steady::now();
    if (!socket) socket = Connect(port);
    bool keep = false;
    const bool sent = socket && ::send(socket.get(), message.data(), message.size(),
                                       MSG_NOSIGNAL) == static_cast<ssize_t>(message.size());
    const bool good = sent && ReadAnswer(socket.get(), keep);
    if (!keep || !good) socket = UniqueFd();
    if (good) {
      tally.microseconds.push_back(
          std::chrono::duration<double, std::micro>(Steady::now() - began).count());
    } else {
      ++tally.failures;
    }
  }
}

int Main(char** argv) {
  const int port = std::atoi(argv[1]), connections = std::atoi(argv[4]);
  const std::string body = argv[3];
  const std::string message = fmt::format(
      "POST {} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
      "Content-Length: {}\r\n\r\n{}",
      argv[2], body.size(), body);
  const auto began = Steady::now();
  const auto end = began + std::chrono::seconds(std::atoi(argv[5]));
  std::vector<Tally> tallies(static_cast<std::size_t>(connections));
  std::vector<std::thread> threads;
  for (Tally& tally : tallies) threads.emplace_back([&, end] { Ask(port, message, end, tally); });
  for (std::thread& thread : threads) thread.join();
  const double seconds = std::chrono::duration<double>(Steady::now() - began).count();
  std::vector<double> all;
  std::int64_t failures = 0;
  for (const Tally& tally : tallies) {
    all.insert(all.end(), tally.microseconds.begin(), tally.microseconds.end());
    failures += tally.failures;
  }
  if (all.empty()) all.push_back(0);
  std::sort(all.begin(), all.end());
  const auto at = [&all](double p) {
    return all[static_cast<std::size_t>(p * static_cast<double>(all.size() - 1))];
  };
  fmt::print(R"({{"rps": {:.1f}, "p50_us": {:.1f}, "p99_us": {:.1f}, "failures": {}}})"
             "\n",
             static_cast<double>(all.size()) / seconds, at(0.5), at(0.99), failures);
  return failures == 0 ? 0 : 1;
}

}  // namespace
}  // namespace slipway::bench

int main(int argc, char** argv) {
  if (argc == 6) return slipway::bench::Main(argv);
  std::fputs("usage: scoring_load PORT PATH BODY CONNECTIONS SECONDS\n", stderr);
  return 2;
}
