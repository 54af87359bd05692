// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/context.h"
#include "cli/remote.h"

namespace slipway::cli {
namespace {

struct Arguments {
  std::string name;
  bool exact = false;
  WaitOptions wait;
};

Result<void> PrintVerification(Context& context, const Json& image) {
  const Json verification = image.value("verification", Json::object());
  TRY(context.PrintObject(
      verification,
      {{"state", "state"}, {"what", "detail"}, {"rebuilt digest", "digest"}, {"time", "time"}}));
  const Json parts = verification.value("parts", Json::array());
  if (TRY(context.format()) != Format::kTable || parts.empty()) return {};
  TRY(context.Print("\n"));
  return context.PrintList(parts, {{"PART", "name"},
                                   {"STATE", "state"},
                                   {"DIGEST", "digest"},
                                   {"REBUILT", "rebuilt_digest"},
                                   {"FIRST DIFFERENCE", "difference"}});
}

Result<void> Verify(Context& context, const Arguments& arguments) {
  const VersionedName name = TRY(ParseVersionedName(arguments.name));
  Remote* remote = TRY(context.remote());
  const std::string path =
      VersionPath("images", name) + "/verify" + Query({{"exact", arguments.exact ? "true" : ""}});
  const Json operation = TRY(remote->Post(remote->InWorkspace(path), Json::object()));
  if (arguments.wait.no_wait) {
    return AwaitAndPrint(context, *remote, operation, arguments.wait, {});
  }
  Result<void> ended = AwaitEnd(context, *remote, operation, arguments.wait);
  // What differs is told of an image that is not what it should be, too.
  if (!ended && !ended.error().id.starts_with("Image.")) return ended.error();
  const Json image = TRY(remote->Get("/api/v1" + operation.value("resource", "")));
  TRY(PrintVerification(context, image));
  return ended;
}

Body Bind(Options& options) {
  auto arguments = std::make_shared<Arguments>();
  AddVersionedName(options, "image", arguments->name);
  options.add_flag("--exact", arguments->exact,
                   "Fail also where Slipway's own programs in it are of another build than this");
  AddWaitOptions(options, arguments->wait);
  return [arguments](Context& context) { return Verify(context, *arguments); };
}

}  // namespace

Command commands_image_verify() {
  return {.path = "image verify",
          .summary = "Build an image again from its inputs and lock, and compare the two",
          .example = "slipway image verify digits:1",
          .bind = Bind};
}

}  // namespace slipway::cli
