// SPDX-License-Identifier: Apache-2.0
#include "base/command_line.h"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <CLI/Validators.hpp>

namespace slipway {

Option Option::required() {
  option_->required();
  return *this;
}

Option Option::type_name(const std::string& name) {
  option_->type_name(name);
  return *this;
}

Option Option::capture_default_str() {
  option_->capture_default_str();
  return *this;
}

Option Option::one_each_time() {
  option_->allow_extra_args(false);
  return *this;
}

Option Option::one_of(std::initializer_list<std::string> values) {
  option_->check(CLI::IsMember(std::vector<std::string>(values)));
  return *this;
}

Option Option::within(std::int64_t low, std::int64_t high) {
  option_->check(CLI::Range(low, high));
  return *this;
}

Option Option::within(double low, double high) {
  option_->check(CLI::Range(low, high));
  return *this;
}

bool Option::given() const { return option_->count() > 0; }

Option Options::add_option(const std::string& name, std::string& value, const std::string& help) {
  return Option(app_.add_option(name, value, help));
}

Option Options::add_option(const std::string& name, std::vector<std::string>& value,
                           const std::string& help) {
  return Option(app_.add_option(name, value, help));
}

Option Options::add_option(const std::string& name, int& value, const std::string& help) {
  return Option(app_.add_option(name, value, help));
}

Option Options::add_option(const std::string& name, std::int64_t& value, const std::string& help) {
  return Option(app_.add_option(name, value, help));
}

Option Options::add_option(const std::string& name, double& value, const std::string& help) {
  return Option(app_.add_option(name, value, help));
}

Option Options::add_flag(const std::string& name, bool& value, const std::string& help) {
  return Option(app_.add_flag(name, value, help));
}

Option Options::get_option(const std::string& name) { return Option(app_.get_option(name)); }

CommandLine::CommandLine(const std::string& summary, const std::string& program)
    : app_(std::make_unique<CLI::App>(summary, program)) {}

CommandLine::~CommandLine() = default;

Options CommandLine::options() { return Options(*app_); }

Options CommandLine::add_subcommand(const std::string& name, const std::string& help,
                                    bool& chosen) {
  CLI::App* added = app_->add_subcommand(name, help);
  added->parse_complete_callback([&chosen] { chosen = true; });
  return Options(*added);
}

void CommandLine::footer(const std::string& text) { app_->footer(text); }

void CommandLine::version(const std::string& text) { app_->set_version_flag("--version", text); }

std::optional<int> CommandLine::Parse(int argc, const char* const* argv) {
  constexpr int kWrongUse = 2;
  try {
    app_->parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app_->exit(error) == 0 ? 0 : kWrongUse;
  }
  return std::nullopt;
}

}  // namespace slipway
