// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "imagebuilder/python/requirement.h"

namespace slipway::imagebuilder {

/// A dependency file as conda and the old client's CondaDependencies write it.
struct CondaFile {
  struct Package {
    int line = 0;
    CondaSpec spec;
  };
  struct PipLine {
    int line = 0;
    std::string text;
    Requirement requirement;
  };
  struct PipOption {
    int line = 0;
    std::string name, value;  ///< `--extra-index-url`, its URL; no value for a flag
  };
  std::string name;
  std::string python;  ///< pip's form of the version wanted: `==3.6.2`; empty: any
  int python_line = 0;
  std::vector<Package> conda;  ///< without python and pip
  std::vector<PipLine> pip;
  std::vector<PipOption> options;
  std::vector<std::string> channels;
  std::vector<std::string> ignored;  ///< what was there and means nothing here, one line each
};

/// Untrusted text. kInvalidArgument (id `Image.DependencyFile`) naming the line and the thing;
/// id `Image.NoWheel` for what would have to be built (`git+https://`, `-e`).
Result<CondaFile> ParseCondaFile(std::string_view text);

/// One line of a pip list into the file's requirements or options; for lists from elsewhere.
Result<void> AddPipLine(std::string_view text, int line, CondaFile& file);

}  // namespace slipway::imagebuilder
