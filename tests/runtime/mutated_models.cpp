// SPDX-License-Identifier: Apache-2.0
/// Damaged copies of models, each loaded, made ready and run under limits in a process of its own
/// kind: every one ends in an answer or in one clear error, in time and within its memory.
///
///     mutated_models [--long COPIES] [--seed N] [--keep DIR] MODEL.onnx|DIR...
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <new>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "base/file.h"
#include "runtime/runtime.h"

namespace {

namespace fs = std::filesystem;
using namespace slipway::runtime;
using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr std::int64_t kMemory = std::int64_t{256} << 20;
constexpr std::int64_t kLargestModel = std::int64_t{16} << 20;
constexpr auto kStep = milliseconds(1500);      // each of: making a session, running it
constexpr auto kOverdue = milliseconds(20000);  // then the watchdog ends it
constexpr int kKilled = 9;

/// What the child says of itself; in memory that both share.
struct Progress {
  std::atomic<std::int64_t> index = -1;  ///< of the copy in work
  std::atomic<std::int64_t> answers = 0, errors = 0, ended = 0;
  std::atomic<int> complaint = 0;
};

struct Options {
  std::int64_t copies = 300;
  std::uint32_t seed = 1;
  fs::path keep = {};
  std::vector<std::string> models = {};  ///< their bytes
};

/// Bytes as a damaged disk, a bad transfer or a bad mind would leave them.
std::string Damaged(const std::string& bytes, std::mt19937& random) {
  std::string made = bytes;
  const auto below = [&random](std::size_t bound) {
    return random() % std::max<std::size_t>(1, bound);
  };
  for (std::size_t changes = below(2) == 0 ? 1 : 1 + below(4); changes > 0 && !made.empty();
       --changes) {
    const std::size_t at = below(made.size());
    const std::size_t length = std::min(made.size() - at, 1 + below(64));
    switch (below(7)) {
      case 0:
        made[at] = static_cast<char>(random());
        break;
      case 1:
        made[at] = static_cast<char>(made[at] ^ static_cast<char>(1U << below(8)));
        break;
      case 2:
        made.erase(at, length);
        break;
      case 3:
        made.insert(at, made.substr(below(made.size()), length));
        break;
      case 4:
        made.replace(at, length, made.substr(below(made.size()), length));
        break;
      case 5:
        made.resize(at);
        break;
      default:
        // A number that is small, large or negative as a varint.
        for (std::size_t i = 0; i < std::min<std::size_t>(length, 10); ++i) {
          made[at + i] = static_cast<char>(i + 1 < length ? 0xff : 0x01);
        }
    }
  }
  return made;
}

/// The copy of that number: always the same.
std::string CopyOf(const Options& options, std::int64_t index) {
  std::mt19937 random(options.seed * 1'000'003U + static_cast<std::uint32_t>(index));
  return Damaged(options.models[static_cast<std::size_t>(index) % options.models.size()], random);
}

bool IsClear(const slipway::Error& error) {
  return !error.message.empty() && error.message.find('\n') == std::string::npos &&
         !ErrorId(error).empty();
}

void TryCopy(const std::string& bytes, Progress& progress) {
  const auto note = [&progress](const slipway::Error& error) {
    ++progress.errors;
    if (error.id.starts_with("Run.")) ++progress.ended;
    if (IsClear(error)) return;
    std::fprintf(stderr, "not one clear error: '%s' (%s)\n", error.message.c_str(),
                 ErrorId(error).c_str());
    progress.complaint = 1;
  };
  const auto model = Model::Parse(std::as_bytes(std::span(bytes)), {.memory_bytes = kMemory});
  if (!model) return note(model.error());
  const auto session = Session::Create(*model, {.threads = 1, .limits = {.memory_bytes = kMemory}},
                                       {.deadline = Clock::now() + kStep});
  if (!session) return note(session.error());
  const auto feeds = ZeroFeeds(*model, 2);
  if (!feeds) return note(feeds.error());
  const auto outputs = (*session)->Run(*feeds, {}, {.deadline = Clock::now() + kStep});
  if (!outputs) return note(outputs.error());
  ++progress.answers;
}

[[noreturn]] void Child(const Options& options, std::int64_t first, Progress& progress) {
  const rlimit room{std::uint64_t{8} << 30, std::uint64_t{8} << 30};
  (void)::setrlimit(RLIMIT_AS, &room);
  for (std::int64_t i = first; i < options.copies; ++i) {
    progress.index = i;
    TryCopy(CopyOf(options, i), progress);
    if (progress.complaint != 0) std::_Exit(1);
  }
  progress.index = options.copies;
  std::_Exit(0);
}

/// Waits for the child, which is killed where it works on one copy for too long.
int Watch(pid_t child, Progress& progress) {
  std::int64_t seen = -1;
  auto since = Clock::now();
  while (true) {
    int status = 0;
    if (::waitpid(child, &status, WNOHANG) == child) return status;
    if (const std::int64_t now = progress.index; now != seen) {
      seen = now;
      since = Clock::now();
    }
    if (Clock::now() - since > kOverdue) (void)::kill(child, kKilled);
    std::this_thread::sleep_for(milliseconds(2));
  }
}

std::string EndText(int status) {
  if (WIFSIGNALED(status)) return "ended by signal " + std::to_string(WTERMSIG(status));
  return "ended with status " + std::to_string(WEXITSTATUS(status));
}

slipway::Result<void> AddModels(const fs::path& path, Options& options) {
  std::vector<fs::path> files;
  if (fs::is_directory(path)) {
    for (const auto& entry : fs::recursive_directory_iterator(path)) {
      const bool small =
          entry.is_regular_file() && static_cast<std::int64_t>(entry.file_size()) <= kLargestModel;
      if (small && entry.path().extension() == ".onnx") files.push_back(entry.path());
    }
    std::ranges::sort(files);
  } else {
    files.push_back(path);
  }
  for (const fs::path& file : files)
    options.models.push_back(TRY(slipway::ReadFile(file, kLargestModel)));
  return {};
}

slipway::Result<Options> ReadOptions(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    const bool has_value = word.starts_with("--") && i + 1 < argc;
    if (word == "--long" && has_value) {
      options.copies = std::atoll(argv[++i]);
    } else if (word == "--seed" && has_value) {
      options.seed = static_cast<std::uint32_t>(std::atoll(argv[++i]));
    } else if (word == "--keep" && has_value) {
      options.keep = argv[++i];
    } else if (fs::exists(word)) {
      TRY(AddModels(word, options));
    } else {
      std::printf("%s is not there: left out\n", word.c_str());
    }
  }
  if (!options.models.empty()) return options;
  return slipway::Error{.code = slipway::Code::kNotFound, .message = "no model"};
}

}  // namespace

int main(int argc, char** argv) {
  const auto options = ReadOptions(argc, argv);
  if (!options) {
    std::fprintf(stderr, "%s\n", options.error().message.c_str());
    return 2;
  }
  void* shared =
      ::mmap(nullptr, sizeof(Progress), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) return 2;
  auto& progress = *new (shared) Progress;
  int bad = 0;
  for (std::int64_t first = 0; first < options->copies;) {
    std::fflush(nullptr);
    const pid_t child = ::fork();
    if (child < 0) return 2;
    if (child == 0) Child(*options, first, progress);
    const int status = Watch(child, progress);
    const std::int64_t index = progress.index;
    if (status == 0) break;
    ++bad;
    progress.complaint = 0;
    std::fprintf(stderr, "FAILED: copy %lld: %s\n", static_cast<long long>(index),
                 EndText(status).c_str());
    if (!options->keep.empty()) {
      std::ofstream(options->keep / ("copy_" + std::to_string(index) + ".onnx"), std::ios::binary)
          << CopyOf(*options, index);
    }
    first = index + 1;
  }
  std::printf(
      "%lld copies of %zu models: %lld answers, %lld errors (%lld of them by limits), %d bad\n",
      static_cast<long long>(options->copies), options->models.size(),
      static_cast<long long>(progress.answers), static_cast<long long>(progress.errors),
      static_cast<long long>(progress.ended), bad);
  return bad == 0 ? 0 : 1;
}
