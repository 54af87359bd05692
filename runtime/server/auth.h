// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "runtime/server/config.h"

namespace slipway::server {

/// The keys with which a service may be asked. Thread-safe.
class ServiceKeys {
 public:
  /// From SLIPWAY_AUTH_KEYS_FILE (one key a line, read again when the file changes), else from
  /// SLIPWAY_AUTH_KEYS (separated by commas); without either no key is asked for. kInvalidArgument
  /// (id `Auth.KeysInvalid`) where there is no key in it, kNotFound where there is no such file.
  static Result<std::unique_ptr<ServiceKeys>> Read(const GetVariable& get);

  /// Whether a request with that Authorization header may be answered: `Bearer KEY`, compared in
  /// constant time.
  bool Allow(std::string_view authorization);
  bool required() const { return required_; }

 private:
  struct Stamp {
    std::int64_t inode = 0, size = 0, seconds = 0, nanoseconds = 0;
    bool operator==(const Stamp&) const = default;
  };
  ServiceKeys() = default;
  static Stamp StampOf(const std::filesystem::path& file);
  static Result<std::vector<std::string>> ReadKeys(const std::filesystem::path& file);
  void Refresh();

  bool required_ = false;
  std::filesystem::path file_;
  std::mutex mutex_;  // guards what follows
  Stamp stamp_;
  std::vector<std::string> keys_;
};

}  // namespace slipway::server
