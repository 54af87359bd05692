// SPDX-License-Identifier: Apache-2.0
#include "cli/app.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <utility>

#include "base/command_line.h"
#include "base/json.h"
#include "base/text.h"
#include "cli/context.h"

namespace slipway::cli {
namespace {

struct Group {
  std::string_view name, summary;
};
constexpr Group kGroups[] = {
    {"workspace", "Workspaces: what models, images and services live in"},
    {"model", "Models: registered ones, and model files at hand"},
    {"image", "Images: a model with all it needs to be served"},
    {"service", "Services: images that run and answer"},
};

CLI::App* FindOrAddGroup(CLI::App& parent, const std::string& name) {
  for (CLI::App* sub : parent.get_subcommands([](const CLI::App*) { return true; })) {
    if (sub->get_name() == name) return sub;
  }
  const auto* group = std::find_if(std::begin(kGroups), std::end(kGroups),
                                   [&](const Group& g) { return g.name == name; });
  const std::string_view summary = group == std::end(kGroups) ? "" : group->summary;
  CLI::App* added = parent.add_subcommand(name, std::string(summary));
  added->require_subcommand(0, 1);
  added->footer("");
  return added;
}

void AddGlobalOptions(CLI::App& app, Globals& globals) {
  const char* group = "Options of every command";
  const auto text = [&](const char* name, std::string& value, const char* what, const char* type) {
    app.add_option(name, value, what)->type_name(type)->group(group);
  };
  text("-o,--output", globals.output, "Output format: table, json, yaml", "FORMAT");
  text("--workspace", globals.workspace, "Workspace [$SLIPWAY_WORKSPACE]", "NAME");
  text("--endpoint", globals.endpoint, "Workspace service [$SLIPWAY_ENDPOINT]", "URL");
  text("--token", globals.token, "Token [$SLIPWAY_TOKEN]", "TOKEN");
  text("--state", globals.state, "State folder of a local service [$SLIPWAY_STATE]", "DIR");
  app.add_flag("-q,--quiet", globals.quiet, "No progress on standard error")->group(group);
}

/// The last command or group of the line that the parser has understood.
CLI::App* Deepest(CLI::App& root) {
  CLI::App* app = &root;
  for (auto chosen = app->get_subcommands(); !chosen.empty(); chosen = app->get_subcommands()) {
    app = chosen.back();
  }
  return app;
}

/// `model register`; empty for the root.
std::string PathOf(const CLI::App* app) {
  std::string path;
  for (; app->get_parent() != nullptr; app = app->get_parent()) {
    path = path.empty() ? app->get_name() : app->get_name() + " " + path;
  }
  return path;
}

std::vector<std::string> Subcommands(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; }))
    names.push_back(sub->get_name());
  return names;
}

std::vector<std::string> OptionNames(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
    for (const std::string& name : option->get_snames()) names.push_back("-" + name);
  }
  return names;
}

Error Usage(const CLI::App& app, std::string message, const std::string& nearest = "") {
  const std::string path = PathOf(&app);
  const std::string help = path.empty() ? "slipway --help" : "slipway " + path + " --help";
  Error error{.code = Code::kInvalidArgument, .message = std::move(message), .id = "Usage"};
  error.fix = nearest.empty() ? help : "did you mean " + nearest + "? See " + help;
  return error;
}

Error Unexpected(const CLI::App& app, const std::string& word) {
  if (word.starts_with('-')) {
    const std::string name = word.substr(0, word.find('='));
    return Usage(app, "unknown option '" + name + "'", NearestOf(name, OptionNames(app)));
  }
  const std::vector<std::string> commands = Subcommands(app);
  if (commands.empty()) return Usage(app, "unexpected argument '" + word + "'");
  return Usage(app, "unknown command '" + word + "'", NearestOf(word, commands));
}

Error FromParseError(CLI::App& root, const CLI::ParseError& error) {
  const CLI::App& app = *Deepest(root);
  const bool extras = dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr;
  if (extras || dynamic_cast<const CLI::RequiredError*>(&error) != nullptr) {
    const std::vector<std::string> extra = app.remaining();
    const auto option = std::find_if(extra.begin(), extra.end(),
                                     [](const std::string& word) { return word.starts_with('-'); });
    if (option != extra.end()) return Unexpected(app, *option);
    const std::vector<std::string> all = root.remaining(true);
    if (extras && !all.empty()) {
      return Unexpected(app, extra.empty() ? all.front() : extra.front());
    }
  }
  std::string message = error.what();
  message = Join(Split(message, '\n'), " ");
  return Usage(app, std::string(Trim(message)));
}

int Report(Context& context, const std::string& path, const Error& error) {
  const std::string what = path.empty() ? "" : path + ": ";
  std::string lines = "slipway: " + Printable(what + error.message) + "\n";
  lines += "cause: " + Printable(ErrorId(error)) + "\n";
  if (!error.fix.empty()) lines += "fix: " + Printable(error.fix) + "\n";
  context.err() << lines;
  context.err().flush();
  return ExitCode(error.code);
}

int Run(CLI::App& root, const std::vector<BoundCommand>& commands, Context& context) {
  const CLI::App* chosen = Deepest(root);
  const auto found = std::find_if(commands.begin(), commands.end(),
                                  [&](const BoundCommand& bound) { return bound.app == chosen; });
  if (found == commands.end()) {
    context.err() << root.help();
    return ExitCode(Code::kInvalidArgument);
  }
  const std::string path(found->command.path);
  if (const auto format = context.format(); !format) return Report(context, path, format.error());
  const Result<void> done = found->body(context);
  return done ? 0 : Report(context, path, done.error());
}

}  // namespace

std::string NearestOf(std::string_view word, const std::vector<std::string>& known) {
  std::string best;
  for (const std::string& candidate : known) {
    best = best.empty() ? Nearest(word, {candidate}) : Nearest(word, {best, candidate});
  }
  return best;
}

std::vector<BoundCommand> AddCommands(CLI::App& root, Globals& globals) {
  root.require_subcommand(0, 1);
  AddGlobalOptions(root, globals);
  std::vector<BoundCommand> commands;
  for (const Unit<Command>& unit : commands_table()) {
    const Command command = unit.make();
    std::vector<std::string> words = Split(command.path, ' ');
    CLI::App* parent = &root;
    for (std::size_t i = 0; i + 1 < words.size(); ++i) parent = FindOrAddGroup(*parent, words[i]);
    CLI::App* app = parent->add_subcommand(words.back(), std::string(command.summary));
    app->footer("Example:\n  " + std::string(command.example));
    Options options(*app);
    Body body = command.bind(options);
    AddGlobalOptions(*app, globals);
    commands.push_back({.command = command, .app = app, .body = std::move(body)});
  }
  return commands;
}

int Main(int argc, const char* const* argv, Context& context) {
  CLI::App root("Takes a model from a file to a service that answers.", "slipway");
  root.set_version_flag("--version", "slipway " SLIPWAY_VERSION);
  root.footer("Example:\n  slipway up && slipway deploy model.onnx --name first");
  const std::vector<BoundCommand> commands = AddCommands(root, context.globals);
  try {
    root.parse(argc, argv);
  } catch (const CLI::CallForVersion& version) {
    context.out() << version.what() << "\n";
    return 0;
  } catch (const CLI::Success&) {
    context.out() << root.help();
    return 0;
  } catch (const CLI::ParseError& error) {
    return Report(context, PathOf(Deepest(root)), FromParseError(root, error));
  }
  return Run(root, commands, context);
}

}  // namespace slipway::cli
