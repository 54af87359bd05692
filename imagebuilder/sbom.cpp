// SPDX-License-Identifier: Apache-2.0
#include "imagebuilder/sbom.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"

namespace slipway::imagebuilder {
namespace {

using Kind = Component::Kind;

std::string WithPurlField(std::string url, std::string_view name, std::string_view value) {
  url += url.find('?') == std::string::npos ? '?' : '&';
  return url + std::string(name) + "=" + EncodePercent(value);
}

}  // namespace

std::string PackageUrl(const Component& component, const Inventory& inventory) {
  const std::string version = EncodePercent(component.version);
  switch (component.kind) {
    case Kind::kDebian: {
      const std::string vendor =
          inventory.distribution.empty() ? "debian" : ToLower(inventory.distribution);
      std::string url = fmt::format("pkg:deb/{}/{}@{}", EncodePercent(vendor),
                                    EncodePercent(ToLower(component.name)), version);
      if (!component.architecture.empty()) {
        url = WithPurlField(std::move(url), "arch", component.architecture);
      }
      if (!inventory.release.empty()) {
        url = WithPurlField(std::move(url), "distro",
                            fmt::format("{}-{}", vendor, inventory.release));
      }
      return url;
    }
    case Kind::kPython:
      return fmt::format("pkg:pypi/{}@{}", EncodePercent(component.name), version);
    case Kind::kModel:
    case Kind::kScript:
    case Kind::kProgram:
    case Kind::kLibrary:
      return {};
  }
  return {};
}

bool IsWebAddress(std::string_view text) {
  constexpr std::string_view kNever = "<>\"{}|\\^`[]";
  const bool web = text.starts_with("https://") || text.starts_with("http://");
  return web && text.find("://") + 3 < text.size() && std::ranges::all_of(text, [&](char c) {
           return c > ' ' && c < 0x7F && kNever.find(c) == std::string_view::npos;
         });
}

Result<SbomForm> FindSbomForm(std::string_view name) {
  std::vector<std::string> names;
  for (const Unit<SbomForm>& unit : sboms_table()) {
    const SbomForm form = unit.make();
    if (form.name == name) return form;
    names.emplace_back(form.name);
  }
  return Error{.code = Code::kInvalidArgument,
               .message = fmt::format("{} is no form of a bill of materials", name),
               .id = "Image.UnknownFormat",
               .fix = fmt::format("use one of: {}", Join(names, ", "))};
}

}  // namespace slipway::imagebuilder
