// SPDX-License-Identifier: Apache-2.0
#include "imagebuilder/python/wheel.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "base/digest.h"
#include "base/text.h"
#include "imagebuilder/entries.h"
#include "imagebuilder/python/archive_reader.h"

namespace slipway::imagebuilder {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kRecordBytes = 64 << 20;
constexpr std::int64_t kTextBytes = 4 << 20;

/// A digest as RECORD writes it: URL-safe base64 without padding.
std::string RecordDigest(const Digest& digest) {
  std::string bytes;
  const std::string_view hex = digest.hex();
  const auto nibble = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes += static_cast<char>(nibble(hex[i]) * 16 + nibble(hex[i + 1]));
  }
  std::string text = EncodeBase64(std::as_bytes(std::span(bytes)));
  std::ranges::replace(text, '+', '-');
  std::ranges::replace(text, '/', '_');
  while (text.ends_with('=')) text.pop_back();
  return "sha256=" + text;
}

std::string ScriptText(std::string_view interpreter, std::string_view target) {
  const std::size_t colon = target.find(':');
  const std::string_view module = Trim(target.substr(0, colon));
  const std::string_view attribute = Trim(target.substr(colon + 1));
  return fmt::format(
      "#!{0}\n# -*- coding: utf-8 -*-\nimport re\nimport sys\nfrom {1} import {2}\n"
      "if __name__ == '__main__':\n"
      "    sys.argv[0] = re.sub(r'(-script\\.pyw|\\.exe)?$', '', sys.argv[0])\n"
      "    sys.exit({3}())\n",
      interpreter, module, attribute.substr(0, attribute.find('.')), attribute);
}

bool IsIdentifier(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.';
  });
}

class Installer {
 public:
  Installer(const fs::path& file, const PythonPlace& python, TreeWriter& tree)
      : file_(file), python_(python), tree_(tree) {}

  Result<void> Run() {
    TRY(FindRecord());
    const auto reader = TRY(Open());
    while (const auto member = TRY(reader->Next())) {
      if (member->kind == ArchiveMember::Kind::kFolder || member->path.ends_with('/')) continue;
      if (member->kind != ArchiveMember::Kind::kFile) {
        return Bad(fmt::format("{} is no plain file", member->path));
      }
      TRY(Install(*member, *reader));
    }
    for (const auto& [path, line] : record_) {
      const bool itself = path == record_path_ || path.starts_with(record_path_ + ".");
      if (!seen_.contains(path) && !itself) {
        return Bad(fmt::format("RECORD lists {}, which is not there", path));
      }
    }
    TRY(InstallScripts());
    return WriteRecord();
  }

 private:
  Error Bad(std::string_view why) const {
    return {.code = Code::kDataLoss,
            .message = fmt::format("wheel {}: {}", file_.filename().string(), why),
            .id = "Image.Wheel",
            .fix = "the index serves a damaged wheel; ask for another version"};
  }

  Result<std::unique_ptr<ArchiveReader>> Open() const {
    return ArchiveReader::OpenFile(file_, ArchiveReader::Form::kZip);
  }

  Result<void> FindRecord() {
    const auto reader = TRY(Open());
    while (const auto member = TRY(reader->Next())) {
      const auto names = Split(member->path, '/');
      const bool top = names.size() == 2 && names[0].ends_with(".dist-info");
      if (!top) continue;
      if (names[1] == "RECORD") {
        if (!record_path_.empty()) return Bad("it has two RECORDs");
        record_path_ = member->path;
        info_ = names[0];
        auto lines = ParseRecord(TRY(reader->ReadAll(kRecordBytes)));
        if (!lines) return Bad(lines.error().message);
        for (RecordLine& line : *lines) record_[line.path] = line;
      } else if (names[1] == "entry_points.txt") {
        scripts_ = ParseEntryPoints(TRY(reader->ReadAll(kTextBytes)));
      } else if (names[1] == "WHEEL") {
        const std::string text = TRY(reader->ReadAll(kTextBytes));
        is_pure_ = text.find("Root-Is-Purelib: true") != std::string::npos;
      }
    }
    if (record_path_.empty()) return Bad("it has no RECORD");
    name_ = info_.substr(0, info_.find('-'));
    data_ = info_.substr(0, info_.size() - std::string_view(".dist-info").size()) + ".data/";
    return {};
  }

  const std::string& Root() const { return is_pure_ ? python_.pure : python_.platform; }

  /// Where a member is installed, absolute in the image.
  Result<std::string> Destination(const std::string& path) const {
    if (!SplitPath(path)) return Bad(fmt::format("{} is no plain path", path));
    if (!path.starts_with(data_)) return Root() + "/" + path;
    const std::string rest = path.substr(data_.size());
    const std::size_t slash = rest.find('/');
    const std::string scheme = rest.substr(0, slash);
    if (slash == std::string::npos) return Bad(fmt::format("{} has no scheme", path));
    const std::string below = rest.substr(slash + 1);
    if (scheme == "purelib") return python_.pure + "/" + below;
    if (scheme == "platlib") return python_.platform + "/" + below;
    if (scheme == "scripts") return python_.scripts + "/" + below;
    if (scheme == "data") return python_.data + "/" + below;
    if (scheme == "headers") {
      return fmt::format("{}/include/python{}/{}/{}", python_.data, MinorVersion(), name_, below);
    }
    return Bad(fmt::format("{} has the unknown scheme {}", path, scheme));
  }

  std::string MinorVersion() const {
    const auto parts = Split(python_.version, '.');
    return parts.size() > 1 ? parts[0] + "." + parts[1] : python_.version;
  }

  Result<void> Install(const ArchiveMember& member, ArchiveReader& reader) {
    const auto line = record_.find(member.path);
    const bool itself = member.path == record_path_ || member.path.starts_with(record_path_ + ".");
    if (itself) return {};
    if (line == record_.end()) return Bad(fmt::format("{} is not in RECORD", member.path));
    if (!seen_.emplace(member.path, true).second) {
      return Bad(fmt::format("{} is there twice", member.path));
    }
    const std::string place = TRY(Destination(member.path));
    const bool script = member.path.starts_with(data_ + "scripts/");
    if (script) return InstallScriptFile(reader, line->second, place);
    Sha256 content;
    const unsigned mode = (member.mode & 0111U) != 0 ? 0755 : 0644;
    const TreeWriter::Pull pull = [&]() -> Result<std::span<const std::byte>> {
      auto bytes = reader.Read();
      if (bytes) content.Update(*bytes);
      return bytes;
    };
    TRY(tree_.AddFile(place.substr(1), mode, pull));
    TRY(Check(line->second, content.Finish()));
    AddRecord(place, line->second);
    return {};
  }

  Result<void> Check(const RecordLine& line, const Digest& digest) const {
    if (line.digest.empty()) return Bad(fmt::format("RECORD has no hash of {}", line.path));
    std::string wanted = line.digest;
    while (wanted.ends_with('=') && wanted.size() > 7) wanted.pop_back();
    if (!wanted.starts_with("sha256=")) {
      return Bad(fmt::format("RECORD's hash of {} is not SHA-256", line.path));
    }
    if (wanted == RecordDigest(digest)) return {};
    return Bad(fmt::format("{} is not what RECORD says", line.path));
  }

  Result<void> InstallScriptFile(ArchiveReader& reader, const RecordLine& line,
                                 const std::string& place) {
    std::string text = TRY(reader.ReadAll(kRecordBytes));
    TRY(Check(line, Digest::OfText(text)));
    if (text.starts_with("#!python")) {
      const std::size_t end = text.find('\n');
      text.replace(0, std::min(end, text.size()), "#!" + python_.interpreter);
    }
    return AddMade(place, 0755, text);
  }

  Result<void> AddMade(const std::string& place, unsigned mode, const std::string& text) {
    TRY(tree_.AddText(place.substr(1), mode, text));
    AddRecord(place, {.path = {},
                      .digest = RecordDigest(Digest::OfText(text)),
                      .size = std::to_string(text.size())});
    return {};
  }

  Result<void> InstallScripts() {
    for (const auto& [name, target] : scripts_) {
      const std::size_t colon = target.find(':');
      const bool sound = colon != std::string::npos && SplitPath(name) &&
                         name.find('/') == std::string::npos &&
                         IsIdentifier(Trim(target.substr(0, colon))) &&
                         IsIdentifier(Trim(target.substr(colon + 1)));
      if (!sound) return Bad(fmt::format("the entry point {} = {} makes no script", name, target));
      TRY(AddMade(python_.scripts + "/" + name, 0755, ScriptText(python_.interpreter, target)));
    }
    return {};
  }

  void AddRecord(const std::string& place, const RecordLine& line) {
    const std::string relative = fs::path(place).lexically_relative(Root()).string();
    installed_.push_back({.path = relative, .digest = line.digest, .size = line.size});
  }

  Result<void> WriteRecord() {
    const std::string folder = Root() + "/" + info_;
    TRY(AddMade(folder + "/INSTALLER", 0644, "slipway\n"));
    installed_.push_back({.path = record_path_, .digest = {}, .size = {}});
    std::ranges::sort(installed_, {}, &RecordLine::path);
    return tree_.AddText(folder.substr(1) + "/RECORD", 0644, RecordText(installed_));
  }

  const fs::path& file_;
  const PythonPlace& python_;
  TreeWriter& tree_;
  std::string record_path_, info_, name_, data_;
  bool is_pure_ = false;
  std::map<std::string, RecordLine> record_;
  std::map<std::string, bool> seen_;
  std::map<std::string, std::string> scripts_;
  std::vector<RecordLine> installed_;
};

}  // namespace

Result<void> InstallWheel(const fs::path& file, const PythonPlace& python, TreeWriter& tree) {
  return Installer(file, python, tree).Run();
}

Result<std::vector<RecordLine>> ParseRecord(std::string_view text) {
  std::vector<RecordLine> lines;
  std::vector<std::string> fields(1);
  bool quoted = false;
  const auto end_line = [&]() -> Result<void> {
    if (fields.size() == 1 && fields[0].empty()) return {};
    if (fields.size() != 3) {
      return Error{.code = Code::kDataLoss,
                   .message = fmt::format("line {} of RECORD has {} fields, not 3",
                                          lines.size() + 1, fields.size())};
    }
    lines.push_back({.path = fields[0], .digest = fields[1], .size = fields[2]});
    fields.assign(1, {});
    return {};
  };
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (quoted) {
      if (c == '"' && at + 1 < text.size() && text[at + 1] == '"') {
        fields.back() += text[++at];
      } else if (c == '"') {
        quoted = false;
      } else {
        fields.back() += c;
      }
    } else if (c == '"') {
      quoted = true;
    } else if (c == ',') {
      fields.emplace_back();
    } else if (c == '\n') {
      TRY(end_line());
    } else if (c != '\r') {
      fields.back() += c;
    }
  }
  if (quoted) return Error{.code = Code::kDataLoss, .message = "RECORD has an open quote"};
  TRY(end_line());
  return lines;
}

std::string RecordText(const std::vector<RecordLine>& lines) {
  std::string text;
  for (const RecordLine& line : lines) {
    std::string path = line.path;
    if (path.find_first_of("\",") != std::string::npos) {
      std::string quoted = "\"";
      for (const char c : path) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
      path = quoted + "\"";
    }
    text += fmt::format("{},{},{}\n", path, line.digest, line.size);
  }
  return text;
}

std::map<std::string, std::string> ParseEntryPoints(std::string_view text) {
  std::map<std::string, std::string> scripts;
  bool wanted = false;
  for (const std::string& raw : Split(text, '\n')) {
    const std::string_view line = Trim(raw);
    if (line.empty() || line.starts_with('#') || line.starts_with(';')) continue;
    if (line.starts_with('[')) {
      wanted = line == "[console_scripts]" || line == "[gui_scripts]";
      continue;
    }
    const std::size_t equals = line.find('=');
    if (!wanted || equals == std::string_view::npos) continue;
    std::string_view target = Trim(line.substr(equals + 1));
    target = Trim(target.substr(0, target.find('[')));
    scripts[std::string(Trim(line.substr(0, equals)))] = target;
  }
  return scripts;
}

}  // namespace slipway::imagebuilder
