// SPDX-License-Identifier: Apache-2.0
#include "imagebuilder/python/debian_tree.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <memory>
#include <optional>
#include <system_error>

#include "base/file.h"
#include "base/text.h"
#include "imagebuilder/errors.h"
#include "imagebuilder/places.h"
#include "imagebuilder/python/deb.h"
#include "imagebuilder/python/tree_writer.h"
#include "imagebuilder/system_files.h"

namespace slipway::imagebuilder {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kCertificateBytes = 1 << 20;

/// The file that update-ca-certificates would make.
Result<void> AddCertificates(const fs::path& root, TreeWriter& tree) {
  const fs::path folder = root / "usr/share/ca-certificates/mozilla";
  std::error_code failed;
  std::vector<fs::path> files;
  for (fs::directory_iterator at(folder, failed), end; !failed && at != end; at.increment(failed)) {
    if (at->path().extension() == ".crt") files.push_back(at->path());
  }
  std::ranges::sort(files);
  std::string bundle;
  for (const fs::path& file : files) bundle += TRY(ReadFile(file, kCertificateBytes));
  if (bundle.empty()) return {};
  TRY(tree.AddText("etc/ssl/certs/ca-certificates.crt", 0644, bundle));
  TRY(tree.AddSymlink("usr/lib/ssl/certs", "/etc/ssl/certs"));
  return tree.AddSymlink("usr/lib/ssl/cert.pem", "/etc/ssl/certs/ca-certificates.crt");
}

/// `python3`, which Debian's package of that name would be.
Result<void> AddPythonLinks(const fs::path& root, TreeWriter& tree) {
  std::error_code failed;
  std::string newest;
  int minor = -1;
  for (fs::directory_iterator at(root / "usr/bin", failed), end; !failed && at != end;
       at.increment(failed)) {
    const std::string name = at->path().filename();
    const std::string digits = name.starts_with("python3.") ? name.substr(8) : "";
    if (digits.empty() || digits.size() > 3 ||
        !std::ranges::all_of(digits, [](char c) { return c >= '0' && c <= '9'; })) {
      continue;
    }
    if (std::stoi(digits) > minor) {
      minor = std::stoi(digits);
      newest = name;
    }
  }
  if (newest.empty()) return SpecError("the Debian packages hold no Python");
  TRY(tree.AddSymlink("usr/bin/python3", newest));
  return tree.AddSymlink("usr/bin/python", "python3");
}

Result<void> AddSystem(TreeWriter& tree) {
  for (const FileEntry& entry : SystemFiles()) {
    const std::string path = entry.path.substr(1);
    if (entry.kind == FileEntry::Kind::kFolder) {
      TRY(tree.AddFolder(path, entry.mode));
    } else {
      TRY(tree.AddText(path, entry.mode, entry.text));
    }
  }
  return {};
}

}  // namespace

const std::vector<std::string>& BasePackages() {
  static const std::vector<std::string> packages = {
      "base-files", "ca-certificates", "dash", "libgomp1", "libstdc++6", "netbase", "python3"};
  return packages;
}

const std::vector<std::string>& ShellPackages() {
  static const std::vector<std::string> packages = {"bash", "coreutils", "findutils", "grep",
                                                    "gzip", "hostname",  "sed",       "util-linux"};
  return packages;
}

Result<void> MakeDebianTree(const std::vector<LockedFile>& packages,
                            const std::function<Result<fs::path>(const LockedFile&)>& place_of,
                            const fs::path& root, const WorkHooks& hooks) {
  const auto tree = TRY(TreeWriter::Open(root));
  for (const char* name : {"bin", "sbin", "lib", "lib64"}) {
    TRY(tree->AddFolder(fmt::format("usr/{}", name), 0755));
    TRY(tree->AddSymlink(name, fmt::format("usr/{}", name)));
  }
  for (const LockedFile& package : packages) {
    if (hooks.IsCancelled()) return Cancelled();
    const fs::path file = TRY(place_of(package));
    TRY(UnpackDeb(file, package.name, *tree));
  }
  TRY(AddSystem(*tree));
  TRY(AddCertificates(root, *tree));
  return AddPythonLinks(root, *tree);
}

}  // namespace slipway::imagebuilder
