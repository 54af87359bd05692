// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace slipway {

/// One declared option or argument, to be told more about; cheap to copy.
class Option {
 public:
  Option() = default;
  explicit Option(CLI::Option* option) : option_(option) {}

  Option required();
  /// What stands for its value in the help.
  Option type_name(const std::string& name);
  /// The help shows the value that the variable has now.
  Option capture_default_str();
  /// A list takes one value each time the option is given.
  Option one_each_time();
  /// Any other value is refused.
  Option one_of(std::initializer_list<std::string> values);
  /// Refused outside, both ends are inside.
  Option within(int low, int high) { return within(std::int64_t{low}, std::int64_t{high}); }
  Option within(std::int64_t low, std::int64_t high);
  Option within(double low, double high);

  /// Whether the command line had it; to be asked after parsing.
  bool given() const;

 private:
  CLI::Option* option_ = nullptr;
};

/// What a command or a program takes: CLI11 without its headers, which are the dearest that a file
/// could include. Names are CLI11's: `-l,--long` for an option, a bare word for an argument. Values
/// are written to the variables when the line is parsed, which must live until then.
class Options {
 public:
  explicit Options(CLI::App& app) : app_(app) {}

  Option add_option(const std::string& name, std::string& value, const std::string& help);
  Option add_option(const std::string& name, std::vector<std::string>& value,
                    const std::string& help);
  Option add_option(const std::string& name, int& value, const std::string& help);
  Option add_option(const std::string& name, std::int64_t& value, const std::string& help);
  Option add_option(const std::string& name, double& value, const std::string& help);
  Option add_flag(const std::string& name, bool& value, const std::string& help);
  /// One that was declared before.
  Option get_option(const std::string& name);

 private:
  CLI::App& app_;
};

/// The command line of a program.
class CommandLine {
 public:
  CommandLine(const std::string& summary, const std::string& program);
  ~CommandLine();

  Options options();
  /// What the program does instead when its name is the first word. `chosen` is set then.
  Options add_subcommand(const std::string& name, const std::string& help, bool& chosen);
  /// What stands below the options in the help.
  void footer(const std::string& text);
  /// What `--version` prints.
  void version(const std::string& text);
  /// Reads the line. A value is the exit status with which the program is to end: 0 where help or
  /// version was asked for, 2 where the line was wrong, which is told on standard error.
  std::optional<int> Parse(int argc, const char* const* argv);

 private:
  std::unique_ptr<CLI::App> app_;
};

}  // namespace slipway
