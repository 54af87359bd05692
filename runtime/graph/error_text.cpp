// SPDX-License-Identifier: Apache-2.0
#include "runtime/graph/error_text.h"

#include <algorithm>
#include <string_view>

#include "base/text.h"

namespace slipway::runtime {
namespace {

constexpr std::size_t kMostBytes = 2000;
constexpr std::string_view kCut = " [...] ";

bool IsContinuation(char byte) { return (static_cast<unsigned char>(byte) & 0xc0U) == 0x80U; }

/// The first and the last bytes, which say where and what.
std::string Cut(const std::string& text) {
  std::size_t head = kMostBytes / 2;
  while (head > 0 && IsContinuation(text[head])) --head;
  std::size_t tail = text.size() - (kMostBytes / 2 - kCut.size());
  while (tail < text.size() && IsContinuation(text[tail])) ++tail;
  return text.substr(0, head) + std::string(kCut) + text.substr(tail);
}

void MakeReadable(std::string& text) {
  const bool utf8 = IsUtf8(text);
  std::ranges::replace_if(
      text,
      [utf8](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return byte < 0x20 || byte == 0x7f || (!utf8 && byte >= 0x80);
      },
      '?');
  if (text.size() > kMostBytes) text = Cut(text);
}

}  // namespace

Error Readable(Error error) {
  for (std::string* text : {&error.message, &error.fix, &error.cause}) MakeReadable(*text);
  return error;
}

}  // namespace slipway::runtime
