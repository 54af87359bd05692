// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <iosfwd>
#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/json.h"
#include "base/result.h"
#include "cli/output.h"
#include "cli/settings.h"

namespace slipway::cli {

class Remote;

/// What a command works with: streams, environment, global options, the workspace service.
/// Not thread-safe.
class Context {
 public:
  struct Surroundings {
    std::ostream& out;  ///< data
    std::ostream& err;  ///< progress and errors
    Environment environment;
    std::filesystem::path folder;  ///< where it was called
    Clock& clock;
    bool out_is_terminal = false;
  };
  explicit Context(Surroundings surroundings);
  ~Context();
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  std::ostream& out() { return around_.out; }
  std::ostream& err() { return around_.err; }
  const Environment& environment() const { return around_.environment; }
  const std::filesystem::path& folder() const { return around_.folder; }
  Clock& clock() { return around_.clock; }
  bool out_is_terminal() const { return around_.out_is_terminal; }

  /// Options every command has; the parser writes them here.
  Globals globals;
  Result<std::filesystem::path> state_folder() const;
  Result<Format> format() const { return FormatFromName(globals.output); }

  /// A line for people on standard error, unless `--quiet`.
  void Progress(std::string_view line);
  /// Text for people on standard error, its lines as they are.
  void Text(std::string_view text);
  /// Data on standard output in the format asked for.
  Result<void> PrintList(const Json& items, const Columns& columns);
  Result<void> PrintObject(const Json& object, const Columns& rows);
  Result<void> Print(std::string_view text);

  /// The workspace service, found when first asked for. Errors as FindConnection.
  Result<Remote*> remote();
  /// The service at that connection instead, whatever options and files say.
  Remote* Connect(Connection connection);

 private:
  Surroundings around_;
  std::unique_ptr<Remote> remote_;
};

}  // namespace slipway::cli
