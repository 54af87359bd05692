// SPDX-License-Identifier: Apache-2.0
#include "cli/context.h"

#include <ostream>
#include <utility>

#include "cli/remote.h"

namespace slipway::cli {

Context::Context(Surroundings surroundings) : around_(std::move(surroundings)) {}
Context::~Context() = default;

Result<std::filesystem::path> Context::state_folder() const {
  return StateFolder(globals, around_.environment);
}

void Context::Progress(std::string_view line) {
  if (!globals.quiet) around_.err << Printable(line) << '\n' << std::flush;
}

void Context::Text(std::string_view text) { around_.err << text << std::flush; }

Result<void> Context::Print(std::string_view text) {
  around_.out << text;
  around_.out.flush();
  if (!around_.out) {
    return Error{.code = Code::kResourceExhausted,
                 .message = "standard output cannot be written",
                 .id = "Output.Failed"};
  }
  return {};
}

Result<void> Context::PrintList(const Json& items, const Columns& columns) {
  const Format chosen = TRY(format());
  return Print(RenderList(chosen, items, columns));
}

Result<void> Context::PrintObject(const Json& object, const Columns& rows) {
  const Format chosen = TRY(format());
  return Print(RenderObject(chosen, object, rows));
}

Result<Remote*> Context::remote() {
  if (!remote_) {
    return Connect(TRY(FindConnection(globals, around_.environment, around_.folder)));
  }
  return remote_.get();
}

Remote* Context::Connect(Connection connection) {
  remote_ = std::make_unique<Remote>(std::move(connection), around_.clock);
  return remote_.get();
}

}  // namespace slipway::cli
