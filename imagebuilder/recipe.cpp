// SPDX-License-Identifier: Apache-2.0
#include "imagebuilder/recipe.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "base/digest.h"
#include "base/limits.h"
#include "imagebuilder/entries.h"
#include "imagebuilder/errors.h"
#include "imagebuilder/tar.h"

namespace slipway::imagebuilder {
namespace {

/// Grows whenever the same items would give other bytes.
constexpr std::string_view kForm = "slipway layer 2: pax, gzip 1 in members of 1 MiB";

void AddField(std::string& text, std::string_view field) {
  fmt::format_to(std::back_inserter(text), "{}:{},", field.size(), field);
}

/// A state is told from a digest, and both from a text that looks like them.
void AddContent(std::string& text, const LayerRecipe::Item& item) {
  if (item.entry.source.empty()) {
    AddField(text, "text");
    AddField(text, item.entry.text);
  } else if (item.state) {
    AddField(text, "state");
    AddField(text, fmt::format("{} {} {} {} {}", item.state->device, item.state->inode,
                               item.state->size, item.state->modified_ns, item.state->changed_ns));
  } else {
    AddField(text, "digest");
    AddField(text, item.entry.source_digest);
  }
}

std::string KeyOf(const LayerRecipe& recipe) {
  std::string text;
  AddField(text, kForm);
  AddField(text, recipe.name);
  for (const LayerRecipe::Item& item : recipe.items) {
    const FileEntry& entry = item.entry;
    AddField(text, entry.path);
    AddField(text, std::to_string(static_cast<int>(entry.kind)));
    AddField(text, std::to_string(entry.mode));
    AddField(text, std::to_string(item.size));
    AddContent(text, item);
    AddField(text, entry.link_target);
  }
  return Digest::OfText(text).text();
}

Result<LayerRecipe::Item> MakeItem(FileEntry entry) {
  if (entry.source.empty()) {
    const auto size = static_cast<std::int64_t>(entry.text.size());
    return LayerRecipe::Item{.entry = std::move(entry), .size = size};
  }
  std::optional<FileState> state;
  if (entry.source_digest.empty()) {
    state = TRY(SettledState(entry.source));
    if (!state) entry.source_digest = TRY(Digest::OfFile(entry.source)).text();
  } else {
    entry.source_digest = TRY(Digest::Parse(entry.source_digest)).text();
  }
  const std::int64_t bytes = state ? state->size : TRY(StateOf(entry.source)).size;
  if (bytes > limits::kBlobBytes) {
    return Error{.code = Code::kResourceExhausted,
                 .message = fmt::format("{}: {} bytes are too many for a layer",
                                        entry.source.string(), bytes)};
  }
  return LayerRecipe::Item{.entry = std::move(entry), .size = bytes, .state = state};
}

/// Only its key is known; the files are listed when it must be packed.
LayerRecipe LateRecipe(const LayerType& type, const std::string& key, const BuildSpec& spec) {
  LayerRecipe recipe{.name = std::string(type.name), .summary = std::string(type.summary)};
  std::string text;
  for (const std::string_view field : {kForm, type.name, std::string_view(key)}) {
    AddField(text, field);
  }
  recipe.key = Digest::OfText(text).text();
  recipe.complete = [type, spec, known = recipe.key](BuildContext& context) -> Result<LayerRecipe> {
    std::vector<FileEntry> files = TRY(type.files(spec, context));
    LayerRecipe full = TRY(MakeRecipe(type, std::move(files), context));
    full.key = known;
    return full;
  };
  return recipe;
}

Result<std::vector<LayerRecipe>> RecipesOf(std::vector<LayerType> types, const BuildSpec& spec,
                                           BuildContext& context) {
  std::ranges::sort(types, {},
                    [](const LayerType& type) { return std::pair(type.order, type.name); });
  std::vector<LayerRecipe> recipes;
  for (const LayerType& type : types) {
    if (type.key != nullptr) {
      const std::optional<std::string> key = TRY(type.key(spec));
      if (key) recipes.push_back(LateRecipe(type, *key, spec));
      continue;
    }
    std::vector<FileEntry> files = TRY(type.files(spec, context));
    if (files.empty()) continue;
    auto recipe = MakeRecipe(type, std::move(files), context);
    if (!recipe) return Within(fmt::format("layer {}", type.name), std::move(recipe).error());
    recipes.push_back(*std::move(recipe));
  }
  return recipes;
}

std::vector<LayerType> AllTypes() {
  std::vector<LayerType> types;
  for (const Unit<LayerType>& unit : layers_table()) types.push_back(unit.make());
  return types;
}

}  // namespace

Result<LayerRecipe> MakeRecipe(const LayerType& type, std::vector<FileEntry> files,
                               BuildContext& context) {
  LayerRecipe recipe{.name = std::string(type.name),
                     .summary = std::string(type.summary),
                     .items = {},
                     .key = {},
                     .unpacked_size = static_cast<std::int64_t>(TarEnd().size())};
  std::vector<FileEntry> arranged = TRY(ArrangeEntries(std::move(files)));
  for (FileEntry& entry : arranged) {
    if (context.cancelled && context.cancelled()) return Cancelled();
    recipe.items.push_back(TRY(MakeItem(std::move(entry))));
    const FileEntry& added = recipe.items.back().entry;
    const std::int64_t bytes = TarMemberBytes({.path = added.path,
                                               .kind = added.kind,
                                               .mode = added.mode,
                                               .size = recipe.items.back().size,
                                               .link_target = added.link_target});
    recipe.unpacked_size = TRY(CheckedAdd(recipe.unpacked_size, bytes, "the layer"));
  }
  if (recipe.unpacked_size > limits::kBlobBytes) {
    return Error{.code = Code::kResourceExhausted,
                 .message = fmt::format("layer {} would have {} bytes, {} are allowed", recipe.name,
                                        recipe.unpacked_size, limits::kBlobBytes)};
  }
  recipe.key = KeyOf(recipe);
  return recipe;
}

Result<std::vector<LayerRecipe>> MakeRecipes(const BuildSpec& spec, BuildContext& context) {
  return RecipesOf(AllTypes(), spec, context);
}

Result<std::vector<LayerRecipe>> MakeRecipesOfAll(const BuildSpec& spec, BuildContext& context) {
  std::vector<LayerType> types = AllTypes();
  std::erase_if(types, [](const LayerType& type) { return !type.in_all_images; });
  return RecipesOf(std::move(types), spec, context);
}

}  // namespace slipway::imagebuilder
