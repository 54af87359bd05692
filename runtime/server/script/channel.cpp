// SPDX-License-Identifier: Apache-2.0
#include "runtime/server/script/channel.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace slipway::server {
namespace {

using Steady = std::chrono::steady_clock;

constexpr std::size_t kRoom = 16 << 10;

Error Gone() {
  return {.code = Code::kUnavailable,
          .message = "the scoring process has ended",
          .id = "Script.WorkerGone"};
}
Error Died() {
  return {.code = Code::kDataLoss,
          .message = "the scoring process ended before it had answered",
          .id = "Script.WorkerDied"};
}
Error Late() {
  return {.code = Code::kDeadlineExceeded, .message = "the scoring process takes too long"};
}

}  // namespace

bool AwaitFd(int fd, short events, Steady::time_point deadline) {
  while (true) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Steady::now());
    const auto ms = std::clamp<std::int64_t>(left.count(), 0, 1 << 30);
    struct pollfd wait = {.fd = fd, .events = events, .revents = 0};
    const int ready = ::poll(&wait, 1, static_cast<int>(ms));
    if (ready > 0) return true;
    if (ready == 0 && left.count() <= ms) return false;
    if (ready < 0 && errno != EINTR) return false;
  }
}

Result<void> ScriptChannel::Send(FrameKind kind, std::string_view head, std::string_view body,
                                 Time deadline) {
  const std::string front = EncodeFrame(kind, head, static_cast<std::int64_t>(body.size()));
  std::size_t sent = 0;
  while (sent < front.size() + body.size()) {
    const std::size_t of_front = std::min(sent, front.size());
    std::array<iovec, 2> rest = {
        iovec{const_cast<char*>(front.data()) + of_front, front.size() - of_front},
        iovec{const_cast<char*>(body.data()) + (sent - of_front), body.size() - (sent - of_front)}};
    msghdr message{};
    message.msg_iov = rest.data();
    message.msg_iovlen = rest.size();
    const ssize_t count = ::sendmsg(socket_.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count >= 0) {
      sent += static_cast<std::size_t>(count);
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      if (!AwaitFd(socket_.get(), POLLOUT, deadline)) return Late();
    } else if (errno != EINTR) {
      return Gone();
    }
  }
  return {};
}

Result<void> ScriptChannel::Fill(std::string& buffer, std::size_t have, Time deadline) {
  while (have < buffer.size()) {
    const ssize_t count =
        ::recv(socket_.get(), buffer.data() + have, buffer.size() - have, MSG_DONTWAIT);
    if (count > 0) {
      have += static_cast<std::size_t>(count);
    } else if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
      if (!AwaitFd(socket_.get(), POLLIN, deadline)) return Late();
    } else if (count == 0 || errno != EINTR) {
      return Died();
    }
  }
  return {};
}

Result<ScriptChannel::Frame> ScriptChannel::Receive(Time deadline) {
  std::array<char, kRoom> room;
  std::size_t have = 0;
  while (have < kFrameBytes) {
    if (!AwaitFd(socket_.get(), POLLIN, deadline)) return Late();
    const ssize_t count =
        ::recv(socket_.get(), room.data() + have, room.size() - have, MSG_DONTWAIT);
    if (count > 0) have += static_cast<std::size_t>(count);
    const bool again = errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
    // Linux says so where the other end was closed with bytes in it that it had not read.
    if (count < 0 && errno == ECONNRESET) return Gone();
    if (count == 0 || (count < 0 && !again)) return Died();
  }
  const FrameSizes sizes = TRY(DecodeFrame({room.data(), have}));
  const auto head_end = kFrameBytes + static_cast<std::size_t>(sizes.head);
  const std::size_t end = head_end + static_cast<std::size_t>(sizes.body);
  if (have > end) {
    return Error{.code = Code::kDataLoss,
                 .message = "more than one answer came",
                 .id = "Script.ProtocolViolated"};
  }
  Frame frame{.kind = sizes.kind};
  frame.head.assign(room.data() + kFrameBytes, std::min(have, head_end) - kFrameBytes);
  const std::size_t head_have = frame.head.size();
  frame.head.resize(static_cast<std::size_t>(sizes.head));
  TRY(Fill(frame.head, head_have, deadline));
  if (have > head_end) frame.body.assign(room.data() + head_end, have - head_end);
  const std::size_t body_have = frame.body.size();
  frame.body.resize(static_cast<std::size_t>(sizes.body));
  TRY(Fill(frame.body, body_have, deadline));
  return frame;
}

bool ScriptChannel::HasInput() const {
  struct pollfd look = {.fd = socket_.get(), .events = POLLIN, .revents = 0};
  return ::poll(&look, 1, 0) > 0;
}

Result<void> ScriptChannel::SendDescriptors(std::string_view what, const int* fds,
                                            std::size_t count) {
  std::array<char, 256> control{};
  char byte = 0;
  iovec data = {.iov_base = &byte, .iov_len = 1};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = CMSG_SPACE(count * sizeof(int));
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(count * sizeof(int));
  std::memcpy(CMSG_DATA(header), fds, count * sizeof(int));
  if (::sendmsg(socket_.get(), &message, MSG_NOSIGNAL) == 1) return {};
  return SystemError(what, errno);
}

void ScriptChannel::ShutDown() { ::shutdown(socket_.get(), SHUT_RDWR); }

}  // namespace slipway::server
