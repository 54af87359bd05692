// SPDX-License-Identifier: Apache-2.0
// Source: SPDX Specification 2.3, clauses 6, 7 and 11.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/digest.h"
#include "base/json.h"
#include "base/text.h"
#include "imagebuilder/sbom.h"

namespace slipway::imagebuilder {
namespace {

using Kind = Component::Kind;

constexpr std::string_view kNone = "NOASSERTION";
constexpr std::string_view kImageId = "SPDXRef-Image";

/// Identifiers of the licence list that packages write as they stand there.
constexpr std::array<std::string_view, 17> kLicenses = {
    "0BSD",    "AFL-2.1",      "Apache-2.0",   "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0",
    "CC0-1.0", "GPL-2.0-only", "GPL-3.0-only", "HPND",         "ISC",          "LGPL-3.0-only",
    "MIT",     "MIT-CMU",      "MPL-2.0",      "PSF-2.0",      "Zlib"};

std::string_view PurposeOf(Kind kind) {
  switch (kind) {
    case Kind::kDebian:
    case Kind::kPython:
    case Kind::kLibrary:
      return "LIBRARY";
    case Kind::kProgram:
      return "APPLICATION";
    case Kind::kModel:
    case Kind::kScript:
      return "FILE";
  }
  return {};
}

/// An expression of known licences alone; anything else is for people to read.
std::string LicenseOf(std::string_view text) {
  for (const std::string& word : Split(text, ' ')) {
    const bool joins = word == "AND" || word == "OR";
    if (!joins && std::ranges::find(kLicenses, word) == kLicenses.end()) return std::string(kNone);
  }
  const bool joined_wrong = text.starts_with("AND ") || text.starts_with("OR ") ||
                            text.ends_with(" AND") || text.ends_with(" OR") ||
                            std::ranges::count(text, ' ') % 2 != 0;
  return std::string(text.empty() || joined_wrong ? kNone : text);
}

/// `Organization: NAME (ADDRESS)`, as the specification wants it.
std::string ActorOf(const std::string& supplier) {
  const std::size_t open = supplier.find('<');
  std::string name(Trim(std::string_view(supplier).substr(0, open)));
  std::erase_if(name, [](char c) { return c == '(' || c == ')' || c == '<' || c == '>'; });
  if (name.empty()) return std::string(kNone);
  const std::size_t close = supplier.find('>', open == std::string::npos ? 0 : open);
  if (open == std::string::npos || close == std::string::npos) return "Organization: " + name;
  return fmt::format("Organization: {} ({})", name, supplier.substr(open + 1, close - open - 1));
}

std::string IdOf(std::size_t number, const std::string& name) {
  std::string id = fmt::format("SPDXRef-{}-", number);
  for (const char c : name) {
    const bool plain = std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '.' || c == '-';
    id += plain && static_cast<unsigned char>(c) < 0x80 ? c : '-';
  }
  return id;
}

Json ChecksumsOf(const std::string& digest) {
  return Json::array({{{"algorithm", "SHA256"}, {"checksumValue", digest.substr(7)}}});
}

Json PurlOf(const std::string& purl) {
  return Json::array({{{"referenceCategory", "PACKAGE-MANAGER"},
                       {"referenceType", "purl"},
                       {"referenceLocator", purl}}});
}

Json PackageOf(const Component& component, const std::string& id, const Inventory& inventory) {
  Json package = {{"SPDXID", id},
                  {"name", component.name},
                  {"downloadLocation", IsWebAddress(component.url) ? component.url : kNone},
                  {"filesAnalyzed", false},
                  {"licenseConcluded", kNone},
                  {"licenseDeclared", LicenseOf(component.license)},
                  {"copyrightText", kNone},
                  {"supplier", ActorOf(component.supplier)},
                  {"primaryPackagePurpose", PurposeOf(component.kind)},
                  {"comment", component.path}};
  if (!component.version.empty()) package["versionInfo"] = component.version;
  if (!component.digest.empty()) package["checksums"] = ChecksumsOf(component.digest);
  if (IsWebAddress(component.homepage)) package["homepage"] = component.homepage;
  if (!component.note.empty()) package["sourceInfo"] = component.note;
  if (!component.license.empty() && package["licenseDeclared"] == kNone) {
    package["licenseComments"] = fmt::format("declared as: {}", component.license);
  }
  const std::string purl = PackageUrl(component, inventory);
  if (!purl.empty()) package["externalRefs"] = PurlOf(purl);
  return package;
}

Json ImageOf(const SbomSubject& subject) {
  return {{"SPDXID", kImageId},
          {"name", subject.name},
          {"versionInfo", subject.version},
          {"downloadLocation", kNone},
          {"filesAnalyzed", false},
          {"licenseConcluded", kNone},
          {"licenseDeclared", kNone},
          {"copyrightText", kNone},
          {"primaryPackagePurpose", "CONTAINER"},
          {"checksums", ChecksumsOf(subject.digest)},
          {"externalRefs", PurlOf(fmt::format("pkg:oci/{}@{}", EncodePercent(ToLower(subject.name)),
                                              EncodePercent(subject.digest)))}};
}

Json Related(std::string_view from, std::string_view kind, std::string_view to) {
  return {{"spdxElementId", from}, {"relationshipType", kind}, {"relatedSpdxElement", to}};
}

std::string Write(const SbomSubject& subject) {
  const auto& components = subject.inventory.components;
  std::map<std::pair<Kind, std::string>, std::string> ids;
  Json packages = Json::array({ImageOf(subject)});
  Json relations = Json::array({Related("SPDXRef-DOCUMENT", "DESCRIBES", kImageId)});
  for (std::size_t i = 0; i < components.size(); ++i) {
    const std::string id = IdOf(i + 1, components[i].name);
    ids.emplace(std::pair(components[i].kind, components[i].name), id);
    packages.push_back(PackageOf(components[i], id, subject.inventory));
    relations.push_back(Related(kImageId, "CONTAINS", id));
  }
  for (std::size_t i = 0; i < components.size(); ++i) {
    for (const std::string& need : components[i].needs) {
      const auto found = ids.find({components[i].kind, need});
      if (found == ids.end()) continue;
      relations.push_back(Related(IdOf(i + 1, components[i].name), "DEPENDS_ON", found->second));
    }
  }
  return DumpJson(
      {{"spdxVersion", "SPDX-2.3"},
       {"dataLicense", "CC0-1.0"},
       {"SPDXID", "SPDXRef-DOCUMENT"},
       {"name", fmt::format("{}:{}", subject.name, subject.version)},
       {"documentNamespace",
        fmt::format("https://spdx.org/spdxdocs/slipway-{}-{}-{}", EncodePercent(subject.name),
                    EncodePercent(subject.version), subject.digest.substr(7))},
       {"creationInfo",
        {{"created", subject.created},
         {"creators", Json::array({fmt::format("Tool: slipway-{}", subject.tool)})}}},
       {"packages", std::move(packages)},
       {"relationships", std::move(relations)}});
}

}  // namespace

SbomForm sboms_spdx() {
  return {.name = "spdx",
          .summary = "SPDX 2.3, JSON",
          .media_type = "application/spdx+json",
          .write = Write};
}

}  // namespace slipway::imagebuilder
