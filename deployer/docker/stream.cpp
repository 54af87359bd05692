// SPDX-License-Identifier: Apache-2.0
#include "deployer/docker/stream.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "base/text.h"

namespace slipway::deployer {
namespace {

constexpr std::size_t kFrameHead = 8;

bool IsFrame(std::string_view head) {
  return head.size() >= kFrameHead && head[0] >= 0 && head[0] <= 2 && head[1] == 0 &&
         head[2] == 0 && head[3] == 0;
}

std::size_t FrameLength(std::string_view head) {
  std::size_t length = 0;
  for (std::size_t i = 4; i < kFrameHead; ++i) {
    length = length << 8U | static_cast<unsigned char>(head[i]);
  }
  return length;
}

}  // namespace

std::string DockerLogText(std::string_view stream) {
  if (!IsFrame(stream)) return std::string(stream);
  std::string text;
  while (IsFrame(stream)) {
    const std::size_t length = FrameLength(stream);
    stream.remove_prefix(kFrameHead);
    text += stream.substr(0, length);
    stream.remove_prefix(std::min(length, stream.size()));
  }
  return text;
}

ImageProgress ReadImageProgress(std::string_view body) {
  constexpr std::string_view kLoaded = "Loaded image: ", kLoadedId = "Loaded image ID: ";
  ImageProgress progress;
  for (const std::string& line : Split(body, '\n')) {
    const auto json = ParseJson(line);
    if (!json || !json->is_object()) continue;
    if (auto error = GetString(*json, "error"); error && progress.error.empty()) {
      progress.error = *std::move(error);
    }
    const auto said = GetStringOr(*json, "stream", "");
    if (!said) continue;
    for (const std::string_view begin : {kLoaded, kLoadedId}) {
      if (said->starts_with(begin)) progress.image = Trim(said->substr(begin.size()));
    }
  }
  return progress;
}

}  // namespace slipway::deployer
