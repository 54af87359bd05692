// SPDX-License-Identifier: Apache-2.0
#include "deployer/process/socket.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "deployer/process/pidfd.h"

namespace slipway::deployer {
namespace {

constexpr int kBacklog = 4096;

struct Address {
  sockaddr_storage storage{};
  socklen_t size = 0;
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

Result<Address> AddressOf(const std::string& host, int port) {
  Address address;
  const auto number = htons(static_cast<std::uint16_t>(port));
  auto* v4 = reinterpret_cast<sockaddr_in*>(&address.storage);
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&address.storage);
  const std::string numeric = host == "localhost" ? "127.0.0.1" : host;
  if (inet_pton(AF_INET, numeric.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = number;
    address.size = sizeof(*v4);
  } else if (inet_pton(AF_INET6, numeric.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = number;
    address.size = sizeof(*v6);
  } else {
    return Error{.code = Code::kInvalidArgument,
                 .message = fmt::format("host '{}' is no numeric address", host)};
  }
  return address;
}

int PortOf(int fd) {
  Address address;
  address.size = sizeof(address.storage);
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&address.storage), &address.size) != 0) return 0;
  if (address.storage.ss_family == AF_INET) {
    return ntohs(reinterpret_cast<const sockaddr_in*>(&address.storage)->sin_port);
  }
  if (address.storage.ss_family == AF_INET6) {
    return ntohs(reinterpret_cast<const sockaddr_in6*>(&address.storage)->sin6_port);
  }
  return 0;
}

bool Listens(int fd) {
  int listens = 0;
  socklen_t size = sizeof(listens);
  return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) == 0 && listens != 0;
}

}  // namespace

Result<Listener> ListenOn(const std::string& host, int port) {
  if (port < 0 || port > 65535) {
    return Error{.code = Code::kInvalidArgument, .message = fmt::format("port {} is none", port)};
  }
  const Address address = TRY(AddressOf(host, port));
  const std::string what = fmt::format("cannot listen on {}:{}", host, port);
  UniqueFd fd(socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return SystemError(what, errno);
  const int on = 1;
  if (setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
      bind(fd.get(), address.get(), address.size) != 0 || listen(fd.get(), kBacklog) != 0) {
    const int number = errno;
    Error error = SystemError(what, number);
    if (number == EADDRINUSE) {
      error.id = "Port.InUse";
      error.fix = "stop the program that listens there, or choose another port";
    }
    return error;
  }
  const int bound = PortOf(fd.get());
  return Listener{.fd = std::move(fd), .port = bound};
}

Result<UniqueFd> TakeListener(const ProcessId& id, int fd, int port) {
  const std::string what = fmt::format("cannot take socket {} of process {}", fd, id.pid);
  const UniqueFd process = OpenPidFd(id);
  if (!process) return SystemError(what, errno);
  UniqueFd taken = CopyFd(process, fd);
  if (!taken) return SystemError(what, errno);
  if (!Listens(taken.get()) || PortOf(taken.get()) != port) {
    return Error{.code = Code::kNotFound,
                 .message = what + fmt::format(": it does not listen on port {}", port)};
  }
  return taken;
}

std::string EndpointOf(const std::string& host, int port) {
  std::string name = host;
  if (name == "0.0.0.0") name = "127.0.0.1";
  if (name == "::") name = "::1";
  if (name.find(':') != std::string::npos) name = "[" + name + "]";
  return fmt::format("http://{}:{}", name, port);
}

}  // namespace slipway::deployer
