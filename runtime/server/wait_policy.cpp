// SPDX-License-Identifier: Apache-2.0
#include "runtime/server/wait_policy.h"

#include <unistd.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/process.h"
#include "base/text.h"

namespace slipway::server {
namespace {

constexpr std::int64_t kCommandBytes = 4 << 20;

}  // namespace

void UsePassiveWaiting() {
  if (std::getenv("OMP_WAIT_POLICY") != nullptr || std::getenv("GOMP_SPINCOUNT") != nullptr) return;
  // Where the dynamic loader was called by name it is the running program, and its own arguments
  // are found here alone.
  auto command = ReadFile("/proc/self/cmdline", kCommandBytes);
  if (!command || command->empty()) return;
  command->pop_back();
  std::vector<std::string> words = Split(*command, '\0');
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  ::setenv("OMP_WAIT_POLICY", "passive", 1);
  ::execv(ThisProgram().c_str(), argv.data());
}

}  // namespace slipway::server
