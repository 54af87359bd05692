// SPDX-License-Identifier: Apache-2.0
#include "base/digest.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <openssl/evp.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "base/file.h"

namespace slipway {
namespace {

constexpr std::string_view kPrefix = "sha256:";
constexpr std::size_t kHexChars = 64;
constexpr std::size_t kBlockBytes = 256 << 10;

bool IsLowerHex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); }

}  // namespace

Result<Digest> Digest::Parse(std::string_view text) {
  if (!text.starts_with(kPrefix) || text.size() != kPrefix.size() + kHexChars ||
      !std::all_of(text.begin() + kPrefix.size(), text.end(), IsLowerHex)) {
    return Error{.code = Code::kInvalidArgument,
                 .message = fmt::format("digest '{}' is not 'sha256:' and 64 lower-case hex digits",
                                        text.substr(0, 100)),
                 .id = "Digest.Invalid"};
  }
  return Digest(std::string(text));
}

Digest Digest::OfBytes(std::span<const std::byte> bytes) {
  Sha256 hash;
  hash.Update(bytes);
  return hash.Finish();
}

Digest Digest::OfText(std::string_view text) {
  return OfBytes(std::as_bytes(std::span(text.data(), text.size())));
}

Result<Digest> Digest::OfFile(const std::filesystem::path& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return SystemError(fmt::format("cannot open {}", path.string()), errno);
  Sha256 hash;
  std::vector<std::byte> block(kBlockBytes);
  while (true) {
    const ssize_t got = ::read(fd.get(), block.data(), block.size());
    if (got == 0) return hash.Finish();
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return SystemError(fmt::format("cannot read {}", path.string()), errno);
    hash.Update(std::span(block).first(static_cast<std::size_t>(got)));
  }
}

struct Sha256::State {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  ~State() { EVP_MD_CTX_free(context); }
};

Sha256::Sha256() : state_(std::make_unique<State>()) {
  SLIPWAY_CHECK(state_->context != nullptr);
  SLIPWAY_CHECK(EVP_DigestInit_ex(state_->context, EVP_sha256(), nullptr) == 1);
}

Sha256::~Sha256() = default;

void Sha256::Update(std::span<const std::byte> bytes) {
  SLIPWAY_CHECK(EVP_DigestUpdate(state_->context, bytes.data(), bytes.size()) == 1);
}

Digest Sha256::Finish() {
  std::array<unsigned char, 32> raw{};
  SLIPWAY_CHECK(EVP_DigestFinal_ex(state_->context, raw.data(), nullptr) == 1);
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text(kPrefix);
  text.reserve(kPrefix.size() + kHexChars);
  for (const unsigned char byte : raw) {
    text += kDigits[byte >> 4U];
    text += kDigits[byte & 15U];
  }
  return Digest(std::move(text));
}

}  // namespace slipway
