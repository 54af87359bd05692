// SPDX-License-Identifier: Apache-2.0
#include "deployer/kubernetes/exec.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <map>
#include <nlohmann/json.hpp>
#include <vector>

#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "deployer/causes.h"

extern char** environ;

namespace slipway::deployer {
namespace {

using SteadyTime = std::chrono::steady_clock::time_point;

constexpr std::size_t kOutputMax = 1 << 20;

struct Pipe {
  UniqueFd read, write;
};

Result<Pipe> MakePipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return SystemError("cannot make a pipe", errno);
  return Pipe{.read = UniqueFd(ends[0]), .write = UniqueFd(ends[1])};
}

/// This program's environment with the plugin's variables over it.
std::vector<std::string> EnvironmentOf(const KubeAccess& access, const KubeExec& plugin) {
  std::map<std::string, std::string> variables;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    const std::size_t equal = text.find('=');
    if (equal != std::string::npos) variables[text.substr(0, equal)] = text.substr(equal + 1);
  }
  for (const auto& [name, value] : plugin.environment) variables[name] = value;
  Json spec = {{"interactive", false}};
  if (plugin.wants_cluster) {
    spec["cluster"] = {{"server", access.server}};
    if (access.insecure) spec["cluster"]["insecure-skip-tls-verify"] = true;
    if (!access.tls_server_name.empty()) {
      spec["cluster"]["tls-server-name"] = access.tls_server_name;
    }
    if (!access.ca_pem.empty()) {
      spec["cluster"]["certificate-authority-data"] =
          EncodeBase64(std::as_bytes(std::span(access.ca_pem)));
    }
  }
  variables["KUBERNETES_EXEC_INFO"] =
      DumpJson({{"apiVersion", plugin.api_version}, {"kind", "ExecCredential"}, {"spec", spec}});
  std::vector<std::string> lines;
  for (const auto& [name, value] : variables) lines.push_back(name + "=" + value);
  return lines;
}

std::vector<char*> Pointers(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

/// Starts it in a process group of its own, with signals as a program expects them.
Result<pid_t> Start(const KubeAccess& access, const KubeExec& plugin, const Pipe& out,
                    const Pipe& err) {
  std::vector<std::string> words = {plugin.command};
  words.insert(words.end(), plugin.arguments.begin(), plugin.arguments.end());
  std::vector<std::string> variables = EnvironmentOf(access, plugin);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&actions, out.write.get(), STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, err.write.get(), STDERR_FILENO);
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  sigset_t none, all;
  ::sigemptyset(&none);
  ::sigfillset(&all);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setsigdefault(&attributes, &all);
  ::posix_spawnattr_setpgroup(&attributes, 0);
  ::posix_spawnattr_setflags(
      &attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  pid_t pid = 0;
  const int failed = ::posix_spawnp(&pid, plugin.command.c_str(), &actions, &attributes,
                                    Pointers(words).data(), Pointers(variables).data());
  ::posix_spawnattr_destroy(&attributes);
  ::posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) return SystemError("cannot start " + plugin.command, failed);
  return pid;
}

/// Reads both until both have ended; false when time is up or there is too much.
bool ReadBoth(int out, int err, SteadyTime deadline, std::array<std::string, 2>& texts) {
  std::array<pollfd, 2> fds = {pollfd{.fd = out, .events = POLLIN, .revents = 0},
                               pollfd{.fd = err, .events = POLLIN, .revents = 0}};
  std::array<char, 4096> block{};
  while (fds[0].fd >= 0 || fds[1].fd >= 0) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) return false;
    if (::poll(fds.data(), fds.size(), static_cast<int>(left.count())) < 0 && errno != EINTR) {
      return false;
    }
    for (std::size_t i = 0; i < fds.size(); ++i) {
      if (fds[i].fd < 0 || fds[i].revents == 0) continue;
      const ssize_t got = ::read(fds[i].fd, block.data(), block.size());
      if (got <= 0) {
        fds[i].fd = -1;
        continue;
      }
      texts[i].append(block.data(), static_cast<std::size_t>(got));
      if (texts[i].size() > kOutputMax) return false;
    }
  }
  return true;
}

/// Its wait status; nothing if it had to be killed at the deadline.
std::optional<int> AwaitEnd(pid_t pid, SteadyTime deadline) {
  constexpr std::chrono::milliseconds kPause{5};
  int status = 0;
  while (::waitpid(pid, &status, WNOHANG) == 0) {
    if (std::chrono::steady_clock::now() >= deadline) {
      ::kill(-pid, SIGKILL);
      while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
      }
      return std::nullopt;
    }
    SystemClock().Sleep(kPause);
  }
  return status;
}

std::string LastLine(const std::string& text) {
  std::string last;
  for (const std::string& line : Split(text, '\n')) {
    if (!Trim(line).empty()) last = std::string(Trim(line));
  }
  return last.substr(0, 300);
}

Error Refused(const KubeExec& plugin, std::string_view why) {
  Error error =
      CauseError("Unauthorized", fmt::format("credential program {}: {}", plugin.command, why));
  if (!plugin.install_hint.empty()) error.fix = LastLine(plugin.install_hint);
  return error;
}

}  // namespace

Result<KubeCredential> ParseExecCredential(std::string_view text) {
  const Json json = TRY(ParseJson(text));
  const auto bad = [](std::string_view why) {
    return Error{.code = Code::kInvalidArgument, .message = std::string(why)};
  };
  if (!json.is_object() || TRY(GetStringOr(json, "kind", "")) != "ExecCredential") {
    return bad("its output is no ExecCredential");
  }
  const auto status = json.find("status");
  if (status == json.end() || !status->is_object()) return bad("its output has no status");
  KubeCredential made;
  made.token = TRY(GetStringOr(*status, "token", ""));
  made.certificate_pem = TRY(GetStringOr(*status, "clientCertificateData", ""));
  made.key_pem = TRY(GetStringOr(*status, "clientKeyData", ""));
  if (made.certificate_pem.empty() != made.key_pem.empty()) {
    return bad("it gave a certificate without its key, or the key alone");
  }
  if (made.token.empty() && made.certificate_pem.empty()) return bad("it gave no credential");
  const std::string expires = TRY(GetStringOr(*status, "expirationTimestamp", ""));
  if (!expires.empty()) made.expires = TRY(ParseTime(expires));
  return made;
}

Result<KubeCredential> RunKubeExec(const KubeAccess& access, const KubeExec& plugin,
                                   std::chrono::milliseconds timeout) {
  Pipe out = TRY(MakePipe());
  Pipe err = TRY(MakePipe());
  const SteadyTime deadline = std::chrono::steady_clock::now() + timeout;
  const auto pid = Start(access, plugin, out, err);
  if (!pid) return Refused(plugin, pid.error().message);
  out.write = UniqueFd();
  err.write = UniqueFd();
  std::array<std::string, 2> texts;
  const bool whole = ReadBoth(out.read.get(), err.read.get(), deadline, texts);
  const std::optional<int> ended = AwaitEnd(*pid, whole ? deadline : SteadyTime());
  if (!whole || !ended) {
    return Refused(plugin,
                   fmt::format("no answer within {} ms, or too long a one", timeout.count()));
  }
  if (!WIFEXITED(*ended) || WEXITSTATUS(*ended) != 0) {
    return Refused(plugin, fmt::format("failed: {}", LastLine(texts[1])));
  }
  auto made = ParseExecCredential(texts[0]);
  if (!made) return Refused(plugin, made.error().message);
  return made;
}

}  // namespace slipway::deployer
