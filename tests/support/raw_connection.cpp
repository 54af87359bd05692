// SPDX-License-Identifier: Apache-2.0
#include "tests/support/raw_connection.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "base/text.h"

namespace slipway::testing {
namespace {

struct Address {
  sockaddr_storage storage = {};
  socklen_t size = 0;
};

Address ParseAddress(const std::string& text) {
  Address address;
  if (text.starts_with("unix:")) {
    auto* local = reinterpret_cast<sockaddr_un*>(&address.storage);
    local->sun_family = AF_UNIX;
    std::strncpy(static_cast<char*>(local->sun_path), text.c_str() + 5, sizeof local->sun_path - 1);
    address.size = sizeof(sockaddr_un);
    return address;
  }
  const std::size_t colon = text.rfind(':');
  const auto port = htons(static_cast<std::uint16_t>(std::stoi(text.substr(colon + 1))));
  if (text.starts_with('[')) {
    auto* ip = reinterpret_cast<sockaddr_in6*>(&address.storage);
    ip->sin6_family = AF_INET6;
    ip->sin6_port = port;
    ::inet_pton(AF_INET6, text.substr(1, colon - 2).c_str(), &ip->sin6_addr);
    address.size = sizeof(sockaddr_in6);
    return address;
  }
  auto* ip = reinterpret_cast<sockaddr_in*>(&address.storage);
  ip->sin_family = AF_INET;
  ip->sin_port = port;
  ::inet_pton(AF_INET, text.substr(0, colon).c_str(), &ip->sin_addr);
  address.size = sizeof(sockaddr_in);
  return address;
}

}  // namespace

RawConnection::RawConnection(const std::string& address, int receive_buffer_bytes) {
  const Address to = ParseAddress(address);
  fd_ = UniqueFd(::socket(to.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (receive_buffer_bytes > 0) {
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVBUF, &receive_buffer_bytes,
                 sizeof receive_buffer_bytes);
  }
  // What is sent in pieces goes in pieces.
  const int on = 1;
  ::setsockopt(fd_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (::connect(fd_.get(), reinterpret_cast<const sockaddr*>(&to.storage), to.size) != 0) {
    std::abort();
  }
}

bool RawConnection::Send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

void RawConnection::FinishSending() { ::shutdown(fd_.get(), SHUT_WR); }

bool RawConnection::Receive(std::chrono::steady_clock::time_point deadline) {
  const auto left =
      std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
  struct pollfd wait = {.fd = fd_.get(), .events = POLLIN, .revents = 0};
  if (left.count() <= 0 || ::poll(&wait, 1, static_cast<int>(left.count())) <= 0) return false;
  char block[65536];
  const ssize_t got = ::recv(fd_.get(), block, sizeof block, 0);
  if (got <= 0) {
    closed_ = true;
    return false;
  }
  held_.append(block, static_cast<std::size_t>(got));
  return true;
}

std::string RawConnection::ReadUntil(std::string_view text, std::chrono::milliseconds timeout) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  while (held_.find(text) == std::string::npos && Receive(deadline)) {
  }
  const std::size_t at = held_.find(text);
  const std::size_t end = at == std::string::npos ? held_.size() : at + text.size();
  std::string read = held_.substr(0, end);
  held_.erase(0, end);
  return read;
}

std::string RawConnection::ReadAll(std::chrono::milliseconds timeout) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  while (Receive(deadline)) {
  }
  return std::exchange(held_, {}) + (closed_ ? "" : "(still open)");
}

std::string RawConnection::ReadResponse() {
  std::string response = ReadUntil("\r\n\r\n");
  const std::string lower = ToLower(response);
  const std::size_t field = lower.find("content-length: ");
  if (field == std::string::npos) return response;
  const std::size_t size = std::stoul(lower.substr(field + 16));
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (held_.size() < size && Receive(deadline)) {
  }
  response += held_.substr(0, size);
  held_.erase(0, std::min(size, held_.size()));
  return response;
}

}  // namespace slipway::testing
