// SPDX-License-Identifier: Apache-2.0
#include <pthread.h>

#include <mutex>

#include "runtime/c_api.h"

// Of OpenMP's runtime; omp.h is out of the sight of clang's tools where only g++ is installed.
extern "C" {
int omp_pause_resource_all(int kind);
}

namespace slipway::runtime {
namespace {

constexpr int kPauseSoft = 1;

/// Ends the forking thread's team of OpenMP: the child would wait for threads it does not have.
void EndTeam() { omp_pause_resource_all(kPauseSoft); }

}  // namespace

void SurviveForks() {
  static std::once_flag once;
  std::call_once(once, [] { pthread_atfork(EndTeam, nullptr, nullptr); });
}

}  // namespace slipway::runtime
