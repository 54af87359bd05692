// SPDX-License-Identifier: Apache-2.0
// Source: CycloneDX 1.5, bom-1.5.schema.json.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "base/digest.h"
#include "base/json.h"
#include "base/text.h"
#include "imagebuilder/sbom.h"

namespace slipway::imagebuilder {
namespace {

using Kind = Component::Kind;

constexpr std::string_view kImageRef = "image";

std::string_view TypeOf(const Component& component) {
  switch (component.kind) {
    case Kind::kDebian:
    case Kind::kPython:
    case Kind::kLibrary:
      return "library";
    case Kind::kProgram:
      return component.name == "bin/slipway-serve" ? "application" : "file";
    case Kind::kModel:
      return component.name.ends_with(".onnx") ? "machine-learning-model" : "data";
    case Kind::kScript:
      return "file";
  }
  return {};
}

/// A name-based UUID, so that the same image has the same. Source: RFC 9562 section 5.8.
std::string UuidOf(const std::string& text) {
  std::string hex(Digest::OfText(text).hex().substr(0, 32));
  hex[12] = '8';
  hex[16] = "89ab"[hex[16] % 4];
  return fmt::format("{}-{}-{}-{}-{}", hex.substr(0, 8), hex.substr(8, 4), hex.substr(12, 4),
                     hex.substr(16, 4), hex.substr(20));
}

Json HashesOf(const std::string& digest) {
  return Json::array({{{"alg", "SHA-256"}, {"content", digest.substr(7)}}});
}

std::string RefOf(std::size_t number, const Component& component) {
  return fmt::format("{}-{}", number, component.name);
}

Json ComponentOf(const Component& component, const std::string& ref, const Inventory& inventory) {
  Json json = {
      {"type", TypeOf(component)},
      {"bom-ref", ref},
      {"name", component.name},
      {"properties", Json::array({{{"name", "slipway:path"}, {"value", component.path}}})}};
  if (!component.version.empty()) json["version"] = component.version;
  if (!component.digest.empty()) json["hashes"] = HashesOf(component.digest);
  if (!component.license.empty()) {
    json["licenses"] = Json::array({{{"license", {{"name", component.license}}}}});
  }
  const std::string supplier(
      Trim(std::string_view(component.supplier).substr(0, component.supplier.find('<'))));
  if (!supplier.empty()) json["supplier"] = {{"name", supplier}};
  if (!component.note.empty()) json["description"] = component.note;
  Json references = Json::array();
  if (IsWebAddress(component.homepage)) {
    references.push_back({{"type", "website"}, {"url", component.homepage}});
  }
  if (IsWebAddress(component.url)) {
    references.push_back({{"type", "distribution"}, {"url", component.url}});
  }
  if (!references.empty()) json["externalReferences"] = std::move(references);
  std::string purl = PackageUrl(component, inventory);
  if (!purl.empty()) json["purl"] = std::move(purl);
  return json;
}

Json ImageOf(const SbomSubject& subject) {
  return {{"type", "container"},
          {"bom-ref", kImageRef},
          {"name", subject.name},
          {"version", subject.version},
          {"hashes", HashesOf(subject.digest)},
          {"purl", fmt::format("pkg:oci/{}@{}", EncodePercent(ToLower(subject.name)),
                               EncodePercent(subject.digest))}};
}

Json ToolsOf(const SbomSubject& subject) {
  return {
      {"components",
       Json::array({{{"type", "application"}, {"name", "slipway"}, {"version", subject.tool}}})}};
}

std::string Write(const SbomSubject& subject) {
  const auto& components = subject.inventory.components;
  std::map<std::pair<Kind, std::string>, std::string> refs;
  Json items = Json::array(), all = Json::array();
  for (std::size_t i = 0; i < components.size(); ++i) {
    const std::string ref = RefOf(i + 1, components[i]);
    refs.emplace(std::pair(components[i].kind, components[i].name), ref);
    items.push_back(ComponentOf(components[i], ref, subject.inventory));
    all.push_back(ref);
  }
  Json dependencies = Json::array({{{"ref", kImageRef}, {"dependsOn", std::move(all)}}});
  for (std::size_t i = 0; i < components.size(); ++i) {
    Json needs = Json::array();
    for (const std::string& need : components[i].needs) {
      const auto found = refs.find({components[i].kind, need});
      if (found != refs.end()) needs.push_back(found->second);
    }
    dependencies.push_back({{"ref", RefOf(i + 1, components[i])}, {"dependsOn", std::move(needs)}});
  }
  return DumpJson({{"bomFormat", "CycloneDX"},
                   {"specVersion", "1.5"},
                   {"serialNumber", "urn:uuid:" + UuidOf(subject.name + "\n" + subject.version +
                                                         "\n" + subject.digest)},
                   {"version", 1},
                   {"metadata",
                    {{"timestamp", subject.created},
                     {"tools", ToolsOf(subject)},
                     {"component", ImageOf(subject)}}},
                   {"components", std::move(items)},
                   {"dependencies", std::move(dependencies)}});
}

}  // namespace

SbomForm sboms_cyclonedx() {
  return {.name = "cyclonedx",
          .summary = "CycloneDX 1.5, JSON",
          .media_type = "application/vnd.cyclonedx+json",
          .write = Write};
}

}  // namespace slipway::imagebuilder
