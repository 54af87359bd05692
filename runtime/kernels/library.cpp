// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/library.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <filesystem>
#include <system_error>

#include "base/process.h"

namespace slipway::runtime {
namespace {

namespace fs = std::filesystem;

/// The file that this code is in. A program may have been called by a name that says no folder.
fs::path ThisFile() {
  Dl_info info{};
  if (::dladdr(reinterpret_cast<const void*>(&ThisFile), &info) == 0) return ThisProgram();
  std::error_code failed;
  const fs::path named = info.dli_fname;
  return named.has_parent_path() && fs::exists(named, failed) ? named : ThisProgram();
}

std::string LoaderError() {
  const char* said = ::dlerror();
  return said != nullptr ? said : "unknown error";
}

Error Missing(std::string why) {
  return {.code = Code::kNotFound,
          .message = std::move(why),
          .id = "Model.LibraryMissing",
          .fix =
              "install it beside the program; an image that lacks it: register the model and "
              "build the image again"};
}

}  // namespace

std::string LibraryFile(std::string_view library) {
  return fmt::format("libslipway_{}.so.1", library);
}

Result<void*> LibraryFunction(std::string_view library, const char* function) {
  const std::string file = LibraryFile(library);
  const fs::path folder = ThisFile().parent_path();
  std::error_code failed;
  fs::path found = folder / file;
  if (!fs::exists(found, failed)) found = folder.parent_path() / "lib" / file;
  void* loaded = ::dlopen(found.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (loaded == nullptr) return Missing(fmt::format("cannot load {}: {}", file, LoaderError()));
  void* address = ::dlsym(loaded, function);
  if (address == nullptr)
    return Missing(fmt::format("{} is of another build: {}", file, LoaderError()));
  return address;
}

}  // namespace slipway::runtime
