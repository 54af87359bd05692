// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <tuple>
#include <utility>

#include "base/digest.h"
#include "base/text.h"
#include "imagebuilder/entries.h"
#include "imagebuilder/layer_stream.h"
#include "imagebuilder/package_record.h"
#include "imagebuilder/places.h"
#include "imagebuilder/python/requirement.h"
#include "imagebuilder/sbom.h"
#include "imagebuilder/tar_reader.h"

namespace slipway::imagebuilder {
namespace {

using Kind = Component::Kind;

constexpr std::size_t kRecordBytes = 32 << 20;
constexpr std::size_t kBlock = 64 << 10;
constexpr std::string_view kStatusFolder = "var/lib/dpkg/status.d/";
constexpr std::string_view kMetadata = ".dist-info/METADATA";
constexpr std::string_view kRecord = ".dist-info/RECORD";
/// What Debian's packages bring is told of as theirs.
constexpr std::string_view kDebianPython = "usr/lib/python3/dist-packages/";

/// A path of the image without its slash.
constexpr std::string_view Relative(std::string_view path) { return path.substr(1); }

enum class Want : std::uint8_t { kNothing, kText, kDigest };

Want WantOf(std::string_view path) {
  if (path == "etc/os-release" || path == "usr/lib/os-release" || path == "var/lib/dpkg/status") {
    return Want::kText;
  }
  if (path.starts_with(kStatusFolder)) {
    return path.ends_with(".md5sums") ? Want::kNothing : Want::kText;
  }
  if (path.ends_with(kMetadata) || path.ends_with(kRecord)) {
    return path.starts_with(kDebianPython) ? Want::kNothing : Want::kText;
  }
  const bool own = path.starts_with(Relative("/opt/slipway/")) ||
                   path.starts_with(std::string(Relative(kAppRoot)) + "/");
  return own ? Want::kDigest : Want::kNothing;
}

/// What is known of a file of the image.
struct Fact {
  std::string text, digest;
};
using Facts = std::map<std::string, Fact>;

/// Takes away what a layer removes of those below. Source: OCI image-spec, layer.md, "Whiteouts".
void ApplyWhiteout(const std::string& path, Facts& facts) {
  const std::size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "" : path.substr(0, slash + 1);
  const std::string name = path.substr(folder.size());
  const bool opaque = name == kOpaqueWhiteout;
  const std::string gone = opaque ? folder : folder + name.substr(kWhiteoutPrefix.size());
  if (!opaque) facts.erase(gone);
  const std::string below = opaque ? folder : gone + "/";
  const auto begin = facts.lower_bound(below);
  auto end = begin;
  while (end != facts.end() && end->first.starts_with(below)) ++end;
  facts.erase(begin, end);
}

Result<Fact> ReadFact(TarReader& tar, Want want) {
  Fact fact;
  Sha256 hash;
  std::array<std::byte, kBlock> block;
  while (const std::size_t count = TRY(tar.Read(block))) {
    const std::span<const std::byte> bytes(block.data(), count);
    hash.Update(bytes);
    if (want != Want::kText || fact.text.size() + count > kRecordBytes) continue;
    fact.text.append(reinterpret_cast<const char*>(bytes.data()), count);
  }
  fact.digest = hash.Finish().text();
  return fact;
}

Result<void> ReadLayer(const BlobStore& blobs, const Layer& layer, Facts& facts) {
  const auto stream = TRY(LayerStream::Open(blobs, layer));
  TarReader tar(stream->Source());
  Facts added;
  while (const auto entry = TRY(tar.Next())) {
    const std::string name = entry->path.substr(entry->path.rfind('/') + 1);
    if (name.starts_with(kWhiteoutPrefix)) {
      ApplyWhiteout(entry->path, facts);
      continue;
    }
    // Whatever it is, it hides what was there.
    facts.erase(entry->path);
    const Want want = WantOf(entry->path);
    if (entry->kind != TarEntry::Kind::kFile || want == Want::kNothing) continue;
    added[entry->path] = TRY(ReadFact(tar, want));
  }
  TRY(stream->Finish());
  for (auto& [path, fact] : added) facts[path] = std::move(fact);
  return {};
}

void ReadRelease(const std::string& text, Inventory& inventory) {
  for (const std::string& line : Split(text, '\n')) {
    const std::size_t equals = line.find('=');
    if (equals == std::string::npos) continue;
    std::string value(Trim(std::string_view(line).substr(equals + 1)));
    if (value.size() > 1 && (value.front() == '"' || value.front() == '\'')) {
      value = value.substr(1, value.size() - 2);
    }
    if (line.starts_with("ID=")) inventory.distribution = value;
    if (line.starts_with("VERSION_ID=")) inventory.release = value;
  }
}

void AddDebian(const std::string& path, const Fact& fact, Inventory& inventory) {
  for (const RecordFields& fields : ParseParagraphs(fact.text, false)) {
    const std::string status = FieldOf(fields, "status");
    if (!status.empty() && !status.ends_with(" installed")) continue;
    Component package{.kind = Kind::kDebian,
                      .name = FieldOf(fields, "package"),
                      .version = FieldOf(fields, "version"),
                      .architecture = FieldOf(fields, "architecture"),
                      .path = "/" + path,
                      .supplier = FieldOf(fields, "maintainer"),
                      .homepage = FieldOf(fields, "homepage")};
    if (package.name.empty()) continue;
    const std::string source = FieldOf(fields, "source");
    if (!source.empty()) package.note = "built from Debian source package " + source;
    for (const char* relation : {"depends", "pre-depends"}) {
      for (std::string& name : RelationNames(FieldOf(fields, relation))) {
        package.needs.push_back(std::move(name));
      }
    }
    inventory.components.push_back(std::move(package));
  }
}

std::string LicenseOf(const RecordFields& fields) {
  std::string license = FieldOf(fields, "license-expression");
  if (license.empty()) license = FieldOf(fields, "license");
  constexpr std::string_view kClassifier = "License :: ";
  const auto [begin, end] = fields.equal_range("classifier");
  for (auto at = begin; at != end && (license.empty() || license.size() > 100); ++at) {
    if (at->second.starts_with(kClassifier)) license = at->second.substr(at->second.rfind(':') + 2);
  }
  return license;
}

void AddWheel(const std::string& path, const Facts& facts, Inventory& inventory) {
  const auto paragraphs = ParseParagraphs(facts.at(path).text, true);
  if (paragraphs.empty()) return;
  const RecordFields& fields = paragraphs.front();
  Component wheel{.kind = Kind::kPython,
                  .name = NormalName(FieldOf(fields, "name")),
                  .version = FieldOf(fields, "version"),
                  .path = "/" + path,
                  .license = LicenseOf(fields),
                  .supplier = FieldOf(fields, "author"),
                  .homepage = FieldOf(fields, "home-page")};
  if (wheel.name.empty()) return;
  const std::string record = path.substr(0, path.size() - kMetadata.size()) + std::string(kRecord);
  if (const auto found = facts.find(record); found != facts.end()) {
    const auto files = std::ranges::count(found->second.text, '\n');
    wheel.note = fmt::format("RECORD of {} files, {}", files, found->second.digest);
  }
  const auto [begin, end] = fields.equal_range("requires-dist");
  for (auto at = begin; at != end; ++at) {
    const auto requirement = ParseRequirement(at->second);
    if (requirement) wheel.needs.push_back(NormalName(requirement->name));
  }
  inventory.components.push_back(std::move(wheel));
}

void AddModelFile(std::string_view below, const std::string& path, const Fact& fact,
                  Inventory& inventory) {
  const auto parts = Split(below, '/');
  if (parts.size() < 3) return;
  inventory.components.push_back(
      {.kind = Kind::kModel,
       .name = fmt::format("{}/{}", parts[0], below.substr(parts[0].size() + parts[1].size() + 2)),
       .version = parts[1],
       .path = "/" + path,
       .digest = fact.digest});
}

void AddOwnFile(const std::string& path, const Fact& fact, Inventory& inventory) {
  const std::string models = std::string(Relative(kModelsFolder)) + "/";
  const std::string app = std::string(Relative(kAppRoot)) + "/";
  if (path.starts_with(models)) {
    return AddModelFile(std::string_view(path).substr(models.size()), path, fact, inventory);
  }
  const bool script = path.starts_with(app);
  const bool library = path.starts_with(std::string(Relative(kLibraryFolder)) + "/");
  inventory.components.push_back(
      {.kind = script    ? Kind::kScript
               : library ? Kind::kLibrary
                         : Kind::kProgram,
       .name = script ? path.substr(app.size()) : path.substr(Relative("/opt/slipway/").size()),
       .path = "/" + path,
       .digest = fact.digest});
}

/// Only what is there can be needed, and once.
void KeepKnownNeeds(Inventory& inventory) {
  std::set<std::pair<Kind, std::string>> known;
  for (const Component& component : inventory.components) {
    known.emplace(component.kind, component.name);
  }
  for (Component& component : inventory.components) {
    std::erase_if(component.needs, [&](const std::string& name) {
      return name == component.name || !known.contains({component.kind, name});
    });
    std::ranges::sort(component.needs);
    component.needs.erase(std::unique(component.needs.begin(), component.needs.end()),
                          component.needs.end());
  }
}

}  // namespace

Result<Inventory> TakeInventory(const BlobStore& blobs, const Image& image) {
  Facts facts;
  for (const Layer& layer : image.layers) {
    auto read = ReadLayer(blobs, layer, facts);
    if (!read) return Within(fmt::format("layer {}", layer.name), std::move(read).error());
  }
  Inventory inventory;
  for (const char* path : {"usr/lib/os-release", "etc/os-release"}) {
    if (const auto found = facts.find(path); found != facts.end()) {
      ReadRelease(found->second.text, inventory);
    }
  }
  for (const auto& [path, fact] : facts) {
    if (WantOf(path) == Want::kDigest) AddOwnFile(path, fact, inventory);
    if (path == "var/lib/dpkg/status" || path.starts_with(kStatusFolder)) {
      AddDebian(path, fact, inventory);
    }
    if (path.ends_with(kMetadata)) AddWheel(path, facts, inventory);
  }
  KeepKnownNeeds(inventory);
  std::ranges::stable_sort(inventory.components, {}, [](const Component& component) {
    return std::tie(component.kind, component.name, component.version);
  });
  return inventory;
}

void AddLock(const PythonLock& lock, Inventory& inventory) {
  for (Component& component : inventory.components) {
    if (component.kind != Kind::kDebian && component.kind != Kind::kPython) continue;
    const auto& files = component.kind == Kind::kDebian ? lock.debian : lock.wheels;
    const auto file = std::ranges::find_if(files, [&](const LockedFile& one) {
      return one.name == component.name && one.version == component.version;
    });
    if (file == files.end()) continue;
    component.digest = file->digest;
    const bool remote = file->url.starts_with("http://") || file->url.starts_with("https://");
    if (remote) component.url = file->url;
  }
}

}  // namespace slipway::imagebuilder
