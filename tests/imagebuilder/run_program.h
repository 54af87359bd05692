// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "base/process.h"
#include "base/text.h"
#include "tests/support/image_fixture.h"
#include "tests/support/tempdir.h"

namespace slipway::imagebuilder {

/// Path of a program that may be on this machine; empty if it is not.
inline std::filesystem::path FindProgram(const std::string& name) {
  const char* path = std::getenv("PATH");
  std::string folders = path == nullptr ? "" : path;
  folders += ":/usr/sbin:/sbin";
  for (const std::string& folder : Split(folders, ':')) {
    std::error_code failed;
    if (!folder.empty() && std::filesystem::is_regular_file(folder + "/" + name, failed)) {
      return folder + "/" + name;
    }
  }
  return {};
}

struct Ran {
  int status = -1;  ///< exit status; -1: did not end in time
  std::string output;
};

/// Runs a program to its end, its output and errors together.
inline Ran RunProgram(const std::vector<std::string>& argv,
                      std::chrono::seconds limit = std::chrono::seconds(120)) {
  const testing::TempDir folder;
  const char* path = std::getenv("PATH");
  const char* docker = std::getenv("DOCKER_HOST");
  std::vector<std::string> environment = {
      std::string("PATH=") + (path == nullptr ? "" : path) + ":/usr/sbin:/sbin",
      "HOME=" + folder.path().string()};
  if (docker != nullptr) environment.push_back(std::string("DOCKER_HOST=") + docker);
  const auto started = Spawn(
      {.argv = argv, .environment = environment, .folder = folder.path(), .log = folder / "log"});
  if (!started) return {.status = -1, .output = started.error().message};
  const auto status = WaitForExit(*started, limit);
  if (!status) {
    EXPECT_TRUE(Terminate(*started, std::chrono::milliseconds(100)).has_value());
  }
  return {.status = status.value_or(-1), .output = testing::Slurp(folder / "log")};
}

}  // namespace slipway::imagebuilder
