// SPDX-License-Identifier: Apache-2.0
#include "runtime/server/auth.h"

#include <sys/stat.h>

#include <algorithm>

#include "base/file.h"
#include "base/log.h"
#include "base/text.h"

namespace slipway::server {
namespace {

constexpr std::int64_t kFileBytesMax = 64 << 10;
constexpr std::string_view kScheme = "bearer ";

std::vector<std::string> KeysIn(std::string_view text, char separator) {
  std::vector<std::string> keys;
  for (const std::string& part : Split(text, separator)) {
    if (const std::string_view key = Trim(part); !key.empty()) keys.emplace_back(key);
  }
  return keys;
}

}  // namespace

ServiceKeys::Stamp ServiceKeys::StampOf(const std::filesystem::path& file) {
  struct stat info {};
  if (::stat(file.c_str(), &info) != 0) return {};
  return {.inode = static_cast<std::int64_t>(info.st_ino),
          .size = info.st_size,
          .seconds = info.st_mtim.tv_sec,
          .nanoseconds = info.st_mtim.tv_nsec};
}

Result<std::vector<std::string>> ServiceKeys::ReadKeys(const std::filesystem::path& file) {
  const std::string text = TRY(ReadFile(file, kFileBytesMax));
  std::vector<std::string> keys = KeysIn(text, '\n');
  if (!keys.empty()) return keys;
  return Error{.code = Code::kInvalidArgument,
               .message = "file " + file.string() + " holds no key",
               .id = "Auth.KeysInvalid",
               .fix = "put one key on a line"};
}

Result<std::unique_ptr<ServiceKeys>> ServiceKeys::Read(const GetVariable& get) {
  std::unique_ptr<ServiceKeys> keys(new ServiceKeys);
  const char* file = get("SLIPWAY_AUTH_KEYS_FILE");
  const char* list = get("SLIPWAY_AUTH_KEYS");
  if (file != nullptr && *file != '\0') {
    keys->required_ = true;
    keys->file_ = file;
    keys->stamp_ = StampOf(keys->file_);
    auto read = ReadKeys(keys->file_);
    if (!read) return Within("SLIPWAY_AUTH_KEYS_FILE", std::move(read).error());
    keys->keys_ = *std::move(read);
  } else if (list != nullptr && *list != '\0') {
    keys->required_ = true;
    keys->keys_ = KeysIn(list, ',');
    if (keys->keys_.empty()) {
      return Error{.code = Code::kInvalidArgument,
                   .message = "SLIPWAY_AUTH_KEYS holds no key",
                   .id = "Auth.KeysInvalid"};
    }
  }
  return keys;
}

/// Reads the file again if it has changed; called with mutex_ held.
void ServiceKeys::Refresh() {
  if (file_.empty()) return;
  const Stamp stamp = StampOf(file_);
  if (stamp == stamp_) return;
  stamp_ = stamp;
  if (auto read = ReadKeys(file_)) {
    keys_ = *std::move(read);
  } else {
    log::Failure("the keys of before stay in force: " + read.error().message);
  }
}

bool ServiceKeys::Allow(std::string_view authorization) {
  if (!required_) return true;
  const bool bearer = authorization.size() > kScheme.size() &&
                      ToLower(authorization.substr(0, kScheme.size())) == kScheme;
  const std::string_view given = bearer ? Trim(authorization.substr(kScheme.size())) : "";
  const std::lock_guard lock(mutex_);
  Refresh();
  bool found = false;
  for (const std::string& key : keys_) found |= EqualSecrets(key, given);
  return found && !given.empty();
}

}  // namespace slipway::server
