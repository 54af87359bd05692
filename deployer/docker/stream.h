// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace slipway::deployer {

/// The text of a container's output as the engine sends it: frames of a stream type, three zero
/// bytes and a big-endian length, standard output and error in the order of their writing. A body
/// that is no such stream (a container with a terminal) is the text itself; what is cut off in the
/// middle of a frame counts. Pure. Source: Docker Engine API, "Attach to a container".
std::string DockerLogText(std::string_view stream);

/// What `POST /images/load` and `POST /images/create` tell, which answer 200 and then may fail.
struct ImageProgress {
  std::string error = {};  ///< first one; empty if none
  std::string image = {};  ///< reference or id that was loaded, last one
};
/// Reads a sequence of JSON objects, one a line; what is none is left out. Pure.
ImageProgress ReadImageProgress(std::string_view body);

}  // namespace slipway::deployer
