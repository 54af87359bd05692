// SPDX-License-Identifier: Apache-2.0
#include <charconv>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/context.h"
#include "cli/remote.h"

namespace slipway::cli {
namespace {

struct Arguments {
  std::string name;
  std::vector<std::string> shares;
  WaitOptions wait;
};

bool ReadNumber(std::string_view text, std::int64_t& value) {
  const char* const end = text.data() + text.size();
  const auto [stop, failure] = std::from_chars(text.data(), end, value);
  return failure == std::errc() && stop == end;
}

/// `v1=90`
Result<api::TrafficShare> ParseShare(std::string_view text) {
  api::TrafficShare share;
  const std::size_t equals = text.find('=');
  std::string_view revision = text.substr(0, equals);
  if (revision.starts_with('v')) revision.remove_prefix(1);
  const bool good = equals != std::string_view::npos && ReadNumber(revision, share.revision) &&
                    ReadNumber(text.substr(equals + 1), share.percent);
  if (good) return share;
  return Error{.code = Code::kInvalidArgument,
               .message = "\"" + std::string(text) + "\" is not REVISION=PERCENT",
               .id = "Usage",
               .fix = "as in v1=90 v2=10"};
}

Result<void> Traffic(Context& context, const Arguments& arguments) {
  api::Traffic wanted;
  for (const std::string& text : arguments.shares) wanted.traffic.push_back(TRY(ParseShare(text)));
  Remote* remote = TRY(context.remote());
  const std::string path = remote->InWorkspace("/services/" + EncodePercent(arguments.name));
  if (!wanted.traffic.empty()) {
    const Json operation = TRY(remote->Put(path + "/traffic", api::ToJson(wanted)));
    if (arguments.wait.no_wait) {
      return AwaitAndPrint(context, *remote, operation, arguments.wait, ServiceRows());
    }
    TRY(AwaitEnd(context, *remote, operation, arguments.wait));
  }
  return context.PrintList(TRY(remote->List(path + "/revisions")), {{"REVISION", "revision"},
                                                                    {"PERCENT", "percent"},
                                                                    {"IMAGE", "image"},
                                                                    {"CREATED", "created_time"}});
}

Body Bind(Options& options) {
  auto arguments = std::make_shared<Arguments>();
  options.add_option("NAME", arguments->name, "The service").required();
  options
      .add_option("SHARES", arguments->shares,
                  "Revisions with how many of a hundred requests each is to get; none: show them")
      .type_name("vREVISION=PERCENT…");
  AddWaitOptions(options, arguments->wait);
  return [arguments](Context& context) { return Traffic(context, *arguments); };
}

}  // namespace

Command commands_service_traffic() {
  return {.path = "service traffic",
          .summary = "Divide the requests of a service between its revisions, or show them",
          .example = "slipway service traffic digits v1=90 v2=10",
          .bind = Bind};
}

}  // namespace slipway::cli
