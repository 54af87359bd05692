// SPDX-License-Identifier: Apache-2.0
#include "imagebuilder/system_files.h"

#include <fmt/format.h>

#include "imagebuilder/places.h"

namespace slipway::imagebuilder {

std::vector<FileEntry> SystemFiles() {
  using Kind = FileEntry::Kind;
  return {{.path = "/etc/passwd",
           .text = fmt::format("root:x:0:0:root:/:/sbin/nologin\n"
                               "slipway:x:{}:{}:slipway:/tmp:/sbin/nologin\n",
                               kUserId, kUserId)},
          {.path = "/etc/group", .text = fmt::format("root:x:0:\nslipway:x:{}:\n", kUserId)},
          {.path = "/etc/nsswitch.conf", .text = "passwd: files\ngroup: files\nhosts: files dns\n"},
          {.path = "/tmp", .kind = Kind::kFolder, .mode = 01777},
          {.path = std::string(kAppRoot), .kind = Kind::kFolder, .mode = 0755}};
}

}  // namespace slipway::imagebuilder
