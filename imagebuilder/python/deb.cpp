// SPDX-License-Identifier: Apache-2.0
#include "imagebuilder/python/deb.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <utility>

#include "imagebuilder/python/archive_reader.h"

namespace slipway::imagebuilder {
namespace {

using Kind = ArchiveMember::Kind;

constexpr std::int64_t kControlBytes = 1 << 20;

/// Folders that a scoring server has no reader for.
constexpr std::array<std::string_view, 14> kLeftOut = {
    "usr/share/man/",          "usr/share/info/",
    "usr/share/locale/",       "usr/share/lintian/",
    "usr/share/bug/",          "usr/share/doc-base/",
    "usr/share/applications/", "usr/share/pixmaps/",
    "usr/share/binfmts/",      "usr/share/gnome/",
    "usr/share/menu/",         "usr/share/bash-completion/",
    "usr/share/apport/",       "usr/share/initramfs-tools/"};

/// Folders that merged /usr has as links.
constexpr std::array<std::string_view, 5> kMerged = {"bin", "sbin", "lib", "lib64", "libx32"};

bool IsLeftOut(std::string_view path) {
  const auto below = [&](std::string_view folder) {
    return path.starts_with(folder) || path == folder.substr(0, folder.size() - 1);
  };
  if (std::ranges::any_of(kLeftOut, below)) return true;
  return path.starts_with("usr/share/doc/") && !path.ends_with("/copyright");
}

Error NoDeb(const std::filesystem::path& file, std::string_view why) {
  return {.code = Code::kDataLoss,
          .message = fmt::format("{} is no Debian package: {}", file.filename().string(), why),
          .id = "Image.Package"};
}

Result<void> UnpackMember(const ArchiveMember& member, ArchiveReader& data, TreeWriter& tree) {
  const std::string path = PlaceInTree(member.path);
  if (path.empty()) return {};
  switch (member.kind) {
    case Kind::kFile:
      return tree.AddFile(path, member.mode, [&data] { return data.Read(); });
    case Kind::kFolder:
      if (path.starts_with("usr/share/doc/")) return {};
      return tree.AddFolder(path, member.mode);
    case Kind::kSymlink:
      return tree.AddSymlink(path, member.link_target);
    case Kind::kHardlink: {
      const std::string target = PlaceInTree(member.link_target);
      if (target.empty()) return {};
      return tree.AddHardlink(path, target);
    }
    case Kind::kOther:
      return {};
  }
  return {};
}

Result<void> UnpackControl(ArchiveReader& control, std::string_view name, TreeWriter& tree) {
  while (const auto member = TRY(control.Next())) {
    if (member->path != "./control" && member->path != "control") continue;
    const std::string text = TRY(control.ReadAll(kControlBytes));
    TRY(tree.AddText(fmt::format("var/lib/dpkg/status.d/{}", name), 0644, text));
  }
  return {};
}

}  // namespace

std::string PlaceInTree(std::string_view path) {
  while (path.starts_with("./") || path.starts_with('/')) {
    path.remove_prefix(path.starts_with('/') ? 1 : 2);
  }
  while (path.ends_with('/')) path.remove_suffix(1);
  if (path.empty() || path == ".") return {};
  for (const std::string_view merged : kMerged) {
    if (path == merged) return {};
    if (path.starts_with(merged) && path[merged.size()] == '/') return fmt::format("usr/{}", path);
  }
  return IsLeftOut(path) ? std::string() : std::string(path);
}

Result<void> UnpackDeb(const std::filesystem::path& file, std::string_view name, TreeWriter& tree) {
  const auto outer = TRY(ArchiveReader::OpenFile(file, ArchiveReader::Form::kAr));
  bool has_data = false;
  while (const auto part = TRY(outer->Next())) {
    const bool data = part->path.starts_with("data.tar");
    if (!data && !part->path.starts_with("control.tar")) continue;
    const auto inner = TRY(ArchiveReader::Open([&outer] { return outer->Read(); }, part->path,
                                               ArchiveReader::Form::kTar));
    if (!data) {
      TRY(UnpackControl(*inner, name, tree));
      continue;
    }
    has_data = true;
    while (const auto member = TRY(inner->Next())) TRY(UnpackMember(*member, *inner, tree));
  }
  if (!has_data) return NoDeb(file, "it has no data.tar");
  return {};
}

}  // namespace slipway::imagebuilder
