// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/context.h"
#include "cli/remote.h"
#include "cli/upload.h"

namespace slipway::cli {
namespace {

struct Arguments {
  ImageArguments image;
  WaitOptions wait;
};

Result<void> Create(Context& context, const Arguments& arguments) {
  api::CreateImage wanted = TRY(ReadImageArguments(arguments.image));
  Remote* remote = TRY(context.remote());
  TRY(UploadScript(context, *remote, arguments.image.script, wanted));
  const Json operation = TRY(remote->Post(remote->InWorkspace("/images"), api::ToJson(wanted)));
  return AwaitAndPrint(context, *remote, operation, arguments.wait, ImageRows());
}

Body Bind(Options& options) {
  auto arguments = std::make_shared<Arguments>();
  AddImageOptions(options, arguments->image);
  AddWaitOptions(options, arguments->wait);
  return [arguments](Context& context) { return Create(context, *arguments); };
}

}  // namespace

Command commands_image_create() {
  return {
      .path = "image create",
      .summary = "Build an image that serves models, as they are or through a script",
      .example = "slipway image create digits --model digits:1 --script score.py --conda env.yml",
      .bind = Bind};
}

}  // namespace slipway::cli
