// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <fmt/core.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "base/file.h"
#include "base/process.h"
#include "base/process_stat.h"
#include "base/text.h"

namespace slipway {
namespace fs = std::filesystem;
namespace {

constexpr int kFirstOtherFd = 3;
constexpr int kGivenFdsMax = 16;

enum class Step : std::uint8_t { kSession, kParent, kFolder, kFiles, kExec };

/// What the child reports through the pipe when it cannot become the program.
struct Failure {
  Step step;
  int error_number;
};

/// Everything the child needs, made before the fork: between fork and exec only
/// async-signal-safe calls are allowed.
struct Plan {
  fs::path program;
  std::vector<char*> argv;
  std::vector<char*> environment;
  std::string folder;
  UniqueFd input;
  UniqueFd output;
  std::vector<int> keep_fds;
  std::vector<UniqueFd> given_from;  // numbers that no `given_to` has
  std::vector<int> given_to;
  int fds_max = 0;
  pid_t parent = 0;  // 0: the child may outlive it
};

std::vector<char*> Pointers(const std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  pointers.reserve(texts.size() + 1);
  for (const std::string& text : texts) pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

bool IsExecutableFile(const fs::path& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode) &&
         ::access(path.c_str(), X_OK) == 0;
}

Result<fs::path> FindProgram(const std::string& name) {
  std::error_code error;
  if (name.find('/') != std::string::npos) {
    fs::path path = fs::absolute(name, error);
    if (error) return SystemError(fmt::format("cannot start {}", name), error.value());
    return path;
  }
  const char* search = std::getenv("PATH");
  for (const std::string& folder : Split(search != nullptr ? search : "/usr/bin:/bin", ':')) {
    if (folder.empty() || name.empty()) continue;
    const fs::path path = fs::path(folder) / name;
    if (IsExecutableFile(path)) return fs::absolute(path, error);
  }
  return Error{.code = Code::kNotFound,
               .message = fmt::format("program '{}' is not in PATH", name),
               .id = "Process.NotFound"};
}

/// Opens a file with a number the child does not give to its standard streams.
Result<UniqueFd> OpenHigh(const fs::path& path, int flags) {
  const UniqueFd fd(::open(path.c_str(), flags | O_CLOEXEC | O_NOCTTY, 0644));
  if (!fd) return SystemError(fmt::format("cannot open {}", path.string()), errno);
  UniqueFd high(::fcntl(fd.get(), F_DUPFD_CLOEXEC, kFirstOtherFd));
  if (!high) return SystemError(fmt::format("cannot open {}", path.string()), errno);
  return high;
}

Result<void> PlanGivenFds(const ProcessSpec& spec, Plan& plan) {
  for (const GivenFd& given : spec.give_fds) {
    if (given.to < 0 || given.to >= kGivenFdsMax) {
      return Error{.code = Code::kInvalidArgument, .message = "descriptor number out of range"};
    }
    UniqueFd from(::fcntl(given.from, F_DUPFD_CLOEXEC, kGivenFdsMax));
    if (!from) return SystemError("cannot give a descriptor", errno);
    plan.given_from.push_back(std::move(from));
    plan.given_to.push_back(given.to);
  }
  return {};
}

Result<Plan> MakePlan(const ProcessSpec& spec) {
  if (spec.argv.empty()) {
    return Error{.code = Code::kInvalidArgument, .message = "no program to start"};
  }
  Plan plan;
  plan.program = TRY(FindProgram(spec.argv.front()));
  plan.argv = Pointers(spec.argv);
  plan.environment = Pointers(spec.environment);
  plan.folder = spec.folder.string();
  plan.input = TRY(OpenHigh("/dev/null", O_RDONLY));
  plan.output = spec.log.empty() ? TRY(OpenHigh("/dev/null", O_WRONLY))
                                 : TRY(OpenHigh(spec.log, O_WRONLY | O_CREAT | O_APPEND));
  plan.keep_fds = spec.keep_fds;
  TRY(PlanGivenFds(spec, plan));
  plan.parent = spec.dies_with_thread ? ::getpid() : 0;
  struct rlimit limit {};
  constexpr rlim_t kFdsMax = 1 << 20;
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) limit.rlim_cur = 1024;
  plan.fds_max = static_cast<int>(std::min(limit.rlim_cur, kFdsMax));
  return plan;
}

void CloseAllOnExec(int fds_max) {
  if (::close_range(kFirstOtherFd, ~0U, CLOSE_RANGE_CLOEXEC) == 0) return;
  for (int fd = kFirstOtherFd; fd < fds_max; ++fd) ::fcntl(fd, F_SETFD, FD_CLOEXEC);
}

bool Keeps(const Plan& plan, int fd) {
  return std::find(plan.keep_fds.begin(), plan.keep_fds.end(), fd) != plan.keep_fds.end();
}

bool SetUpFiles(const Plan& plan) {
  for (int fd = 0; fd < kFirstOtherFd; ++fd) {
    const int source = fd == STDIN_FILENO ? plan.input.get() : plan.output.get();
    if (!Keeps(plan, fd) && ::dup2(source, fd) < 0) return false;
  }
  for (std::size_t i = 0; i < plan.given_to.size(); ++i) {
    if (::dup2(plan.given_from[i].get(), plan.given_to[i]) < 0) return false;
  }
  CloseAllOnExec(plan.fds_max);
  for (const std::vector<int>* fds : {&plan.keep_fds, &plan.given_to}) {
    for (const int fd : *fds) {
      if (::fcntl(fd, F_SETFD, 0) != 0) return false;
    }
  }
  return true;
}

void ResetSignals() {
  struct sigaction by_default {};
  by_default.sa_handler = SIG_DFL;
  for (int number = 1; number < NSIG; ++number) ::sigaction(number, &by_default, nullptr);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

[[noreturn]] void RunChild(const Plan& plan, int report_fd) {
  const auto fail = [report_fd](Step step) {
    const Failure failure{.step = step, .error_number = errno};
    static_cast<void>(::write(report_fd, &failure, sizeof failure) == 0);
    ::_exit(127);
  };
  if (::setsid() < 0) fail(Step::kSession);
  if (plan.parent != 0) {
    const bool bound = ::prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && ::getppid() == plan.parent;
    if (!bound) fail(Step::kParent);
  }
  if (!plan.folder.empty() && ::chdir(plan.folder.c_str()) != 0) fail(Step::kFolder);
  if (!SetUpFiles(plan)) fail(Step::kFiles);
  ResetSignals();
  ::execve(plan.program.c_str(), plan.argv.data(), plan.environment.data());
  fail(Step::kExec);
  ::_exit(127);
}

/// Forks with all signals blocked, so that no handler of ours runs in the child.
pid_t ForkQuietly(const Plan& plan, int report_fd) {
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  const pid_t pid = ::fork();
  if (pid == 0) RunChild(plan, report_fd);
  const int error_number = errno;
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  errno = error_number;
  return pid;
}

Error ErrorOf(const Failure& failure, const Plan& plan) {
  switch (failure.step) {
    case Step::kSession:
      return SystemError("cannot start a session", failure.error_number);
    case Step::kParent:
      return SystemError("cannot bind a process to its starter", failure.error_number);
    case Step::kFolder:
      return SystemError(fmt::format("cannot enter folder {}", plan.folder), failure.error_number);
    case Step::kFiles:
      return SystemError("cannot set up the open files", failure.error_number);
    case Step::kExec:
      return SystemError(fmt::format("cannot start {}", plan.program.string()),
                         failure.error_number);
  }
  return SystemError("cannot start a process", failure.error_number);
}

}  // namespace

Result<ProcessId> Spawn(const ProcessSpec& spec) {
  const Plan plan = TRY(MakePlan(spec));
  int ends[2] = {-1, -1};
  if (::pipe2(ends, O_CLOEXEC) != 0) return SystemError("cannot make a pipe", errno);
  const UniqueFd report(ends[0]);
  UniqueFd child_end(::fcntl(ends[1], F_DUPFD_CLOEXEC, kGivenFdsMax));
  ::close(ends[1]);
  if (!child_end) return SystemError("cannot make a pipe", errno);
  const pid_t pid = ForkQuietly(plan, child_end.get());
  if (pid < 0) return SystemError("cannot fork", errno);
  child_end = UniqueFd();
  Failure failure{};
  ssize_t got = 0;
  do {
    got = ::read(report.get(), &failure, sizeof failure);
  } while (got < 0 && errno == EINTR);
  if (got == static_cast<ssize_t>(sizeof failure)) {
    while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
    }
    return ErrorOf(failure, plan);
  }
  const std::optional<ProcessStat> stat = ReadProcessStat(pid);
  return ProcessId{.pid = pid, .start_ticks = stat ? stat->start_ticks : 0};
}

}  // namespace slipway
