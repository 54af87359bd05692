// SPDX-License-Identifier: Apache-2.0
#include "imagebuilder/python/wheel.h"

#include <archive.h>
#include <archive_entry.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "imagebuilder/python/deb.h"
#include "imagebuilder/python/lock.h"
#include "imagebuilder/python/pip.h"
#include "tests/support/image_fixture.h"

namespace slipway::imagebuilder {
namespace {

namespace fs = std::filesystem;
using testing::BlobFixture;
using Members = std::vector<std::pair<std::string, std::string>>;

const PythonPlace kPython{.version = "3.11.2",
                          .interpreter = "/usr/bin/python3.11",
                          .loader = "/lib64/ld-linux-x86-64.so.2",
                          .home = "/usr",
                          .pure = "/usr/local/lib/python3.11/dist-packages",
                          .platform = "/usr/local/lib/python3.11/dist-packages",
                          .scripts = "/usr/local/bin",
                          .data = "/usr/local",
                          .library_path = {"/usr/lib"}};

void WriteZip(const fs::path& file, const Members& members) {
  archive* writer = archive_write_new();
  archive_write_set_format_zip(writer);
  ASSERT_EQ(archive_write_open_filename(writer, file.c_str()), ARCHIVE_OK);
  for (const auto& [path, content] : members) {
    archive_entry* entry = archive_entry_new();
    archive_entry_set_pathname(entry, path.c_str());
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0644);
    archive_entry_set_size(entry, static_cast<la_int64_t>(content.size()));
    ASSERT_EQ(archive_write_header(writer, entry), ARCHIVE_OK);
    archive_write_data(writer, content.data(), content.size());
    archive_entry_free(entry);
  }
  archive_write_close(writer);
  archive_write_free(writer);
}

/// A wheel's members with their hashes as RECORD writes them; the hashes were made with Python's
/// hashlib and base64.
struct Member {
  const char *path, *content, *hash;
};
const std::vector<Member> kMembers = {
    {"thing/__init__.py", "A = 1\n", "sha256=Bu289DNhZaJx5lJAJaZDnDyqMkb9B5bxFncieXB6UyU"},
    {"thing-1.0.data/scripts/tool", "#!python\nprint(1)\n",
     "sha256=v5SXsQYzGrJAXNZRz5YIN7DLv3dc9slhMwAUsFa9pAE"},
    {"thing-1.0.data/data/share/thing.txt", "data\n",
     "sha256=Zmey0aq2oAyqWu5a-K2fFGXlZ6vxwgnRVyfVez6Pbl8"},
    {"thing-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\n",
     "sha256=pOC2U1k6hCf_vkZe7h2snGRWx-C20Xjuc3a02KQn2OY"},
    {"thing-1.0.dist-info/entry_points.txt", "[console_scripts]\nthing = thing.cli:main\n",
     "sha256=Aa3wsnqA4nzL4ToaZ17zlnHMG_FKyPIrCh_PxkWjlB0"},
};

Members GoodMembers() {
  Members members;
  for (const Member& member : kMembers) members.emplace_back(member.path, member.content);
  return members;
}

std::string GoodRecord() {
  std::string record;
  for (const Member& member : kMembers) {
    record += std::string(member.path) + "," + member.hash + "," +
              std::to_string(std::string(member.content).size()) + "\n";
  }
  return record + "thing-1.0.dist-info/RECORD,,\n";
}

Result<void> Install(const BlobFixture& place, Members members, const std::string& record) {
  if (!record.empty()) members.emplace_back("thing-1.0.dist-info/RECORD", record);
  const fs::path file = place / "thing-1.0-py3-none-any.whl";
  fs::remove(file);
  WriteZip(file, members);
  const auto tree = TRY(TreeWriter::Open(place / "root"));
  return InstallWheel(file, kPython, *tree);
}

TEST(Wheel, IsInstalledAsPipWould) {
  BlobFixture place;
  const auto installed = Install(place, GoodMembers(), GoodRecord());
  ASSERT_TRUE(installed.has_value()) << installed.error().message;
  const fs::path root = place / "root";
  const fs::path packages = root / kPython.pure.substr(1);
  EXPECT_EQ(testing::Slurp(packages / "thing/__init__.py"), "A = 1\n");
  EXPECT_EQ(testing::Slurp(root / "usr/local/share/thing.txt"), "data\n");
  EXPECT_EQ(testing::Slurp(root / "usr/local/bin/tool"), "#!/usr/bin/python3.11\nprint(1)\n");
  const std::string script = testing::Slurp(root / "usr/local/bin/thing");
  EXPECT_TRUE(script.starts_with("#!/usr/bin/python3.11\n")) << script;
  EXPECT_NE(script.find("from thing.cli import main\n"), std::string::npos) << script;
  EXPECT_NE((fs::status(root / "usr/local/bin/thing").permissions() & fs::perms::others_exec),
            fs::perms::none);
  const std::string record = testing::Slurp(packages / "thing-1.0.dist-info/RECORD");
  EXPECT_NE(record.find("../../../bin/thing,sha256="), std::string::npos) << record;
  EXPECT_NE(record.find(std::string("thing/__init__.py,") + kMembers[0].hash + ",6\n"),
            std::string::npos)
      << record;
}

TEST(Wheel, RefusesWhatRecordDoesNotSay) {
  struct Case {
    Members members;
    std::string record;
    const char* message;
  };
  Members changed = GoodMembers();
  changed[0].second = "A = 2\n";
  Members changed_script = GoodMembers();
  changed_script[1].second = "#!python\nprint(2)\n";
  Members more = GoodMembers();
  more.emplace_back("thing/more.py", "");
  Members fewer = GoodMembers();
  fewer.erase(fewer.begin());
  Members outside = GoodMembers();
  outside.emplace_back("../../outside.py", "A = 1\n");
  const std::string outside_record = GoodRecord() + "../../outside.py," + kMembers[0].hash + ",6\n";
  std::string weak = GoodRecord();
  weak.replace(weak.find("sha256="), 7, "md5=");
  const std::vector<Case> cases = {
      {changed, GoodRecord(), "thing/__init__.py is not what RECORD says"},
      {changed_script, GoodRecord(), "scripts/tool is not what RECORD says"},
      {more, GoodRecord(), "thing/more.py is not in RECORD"},
      {fewer, GoodRecord(), "RECORD lists thing/__init__.py, which is not there"},
      {outside, outside_record, "../../outside.py is no plain path"},
      {GoodMembers(), weak, "is not SHA-256"},
      {GoodMembers(), "a,b\n", "has 2 fields"},
      {GoodMembers(), "", "it has no RECORD"},
  };
  for (const Case& one : cases) {
    BlobFixture place;
    const auto installed = Install(place, one.members, one.record);
    ASSERT_FALSE(installed.has_value()) << one.message;
    EXPECT_NE(installed.error().message.find(one.message), std::string::npos)
        << installed.error().message;
    EXPECT_EQ(installed.error().id, "Image.Wheel");
    EXPECT_FALSE(fs::exists(place / "outside.py"));
  }
}

TEST(Wheel, ThatIsNoArchiveIsRefused) {
  BlobFixture place;
  const fs::path file = place.Write("thing-1.0-py3-none-any.whl", "this is no zip");
  const auto tree = TreeWriter::Open(place / "root");
  ASSERT_TRUE(tree.has_value());
  EXPECT_FALSE(InstallWheel(file, kPython, **tree).has_value());
  EXPECT_FALSE(UnpackDeb(file, "thing", **tree).has_value());
}

TEST(TreeWriter, NeverWritesThroughALink) {
  BlobFixture place;
  const auto tree = TreeWriter::Open(place / "root");
  ASSERT_TRUE(tree.has_value());
  ASSERT_TRUE((*tree)->AddSymlink("a/link", "/etc").has_value());
  EXPECT_EQ(fs::read_symlink(place / "root/a/link"), "../etc");
  fs::create_directory_symlink(place.folder(), place / "root/out");
  EXPECT_FALSE((*tree)->AddText("out/file", 0644, "x").has_value());
  EXPECT_FALSE((*tree)->AddText("../file", 0644, "x").has_value());
  EXPECT_FALSE((*tree)->AddText("/file", 0644, "x").has_value());
  EXPECT_FALSE(fs::exists(place / "file"));
}

TEST(Deb, PutsFilesWhereMergedUsrHasThem) {
  EXPECT_EQ(PlaceInTree("./lib/x86_64-linux-gnu/libc.so.6"), "usr/lib/x86_64-linux-gnu/libc.so.6");
  EXPECT_EQ(PlaceInTree("./bin/sh"), "usr/bin/sh");
  EXPECT_EQ(PlaceInTree("./lib/"), "");
  EXPECT_EQ(PlaceInTree("./libexec/x"), "libexec/x");
  EXPECT_EQ(PlaceInTree("./usr/share/man/man1/x.1.gz"), "");
  EXPECT_EQ(PlaceInTree("./usr/share/doc/libc6/changelog.gz"), "");
  EXPECT_EQ(PlaceInTree("./usr/share/doc/libc6/copyright"), "usr/share/doc/libc6/copyright");
}

TEST(Lock, IsReadBackAndRefusedWhereItIsWrong) {
  PythonLock lock{.python = kPython, .architecture = "amd64"};
  lock.wheels = {{.name = "six",
                  .version = "1.16.0",
                  .file = "six-1.16.0-py2.py3-none-any.whl",
                  .url = "https://example.org/six.whl",
                  .digest = "sha256:" + std::string(64, 'a'),
                  .size = 11053}};
  const std::string text = LockText(lock);
  const auto read = ParseLock(text);
  ASSERT_TRUE(read.has_value()) << read.error().message;
  EXPECT_EQ(*read, lock);
  const std::pair<const char*, const char*> changes[] = {
      {"\"form\": 1", "\"form\": 2"}, {"six-1.16.0-py2.py3-none-any.whl", "../../six.whl"},
      {"sha256:aaaa", "sha256:zzzz"}, {"/usr/bin/python3.11", "usr/bin/python"},
      {"\"wheels\"", "\"weels\""},    {"\"size\":11053", "\"size\":\"many\""},
  };
  for (const auto& [from, to] : changes) {
    std::string wrong = text;
    const std::size_t at = wrong.find(from);
    ASSERT_NE(at, std::string::npos) << from;
    wrong.replace(at, std::string(from).size(), to);
    const auto refused = ParseLock(wrong);
    ASSERT_FALSE(refused.has_value()) << to;
    EXPECT_EQ(refused.error().id, "Image.Lock");
  }
}

TEST(PipOutput, SaysWhatWentWrong) {
  using Kind = PipFailure::Kind;
  const PipFailure missing = ReadPipFailure(
      "ERROR: Could not find a version that satisfies the requirement numpy==1.16.2 (from "
      "versions: "
      "1.23.2, 1.23.3)\nERROR: No matching distribution found for numpy==1.16.2\n");
  EXPECT_EQ(missing.kind, Kind::kNotFound);
  EXPECT_EQ(missing.requirement, "numpy==1.16.2");
  EXPECT_EQ(missing.found, (std::vector<std::string>{"1.23.2", "1.23.3"}));
  const PipFailure conflict = ReadPipFailure(
      "ERROR: Cannot install a and b because these package versions have conflicting "
      "dependencies.\n"
      "\nThe conflict is caused by:\n    The user requested numpy<1\n    a 1.0 depends on "
      "numpy>=2\n"
      "\nTo fix this you could try to:\n");
  EXPECT_EQ(conflict.kind, Kind::kConflict);
  EXPECT_EQ(conflict.detail, "The user requested numpy<1; a 1.0 depends on numpy>=2");
  const PipFailure offline = ReadPipFailure(
      "Looking in indexes: https://index.example.org/simple\n"
      "WARNING: Retrying (Retry(total=4)) after connection broken by 'NewConnectionError('<x>: "
      "Failed to establish a new connection: [Errno 111] Connection refused')': /simple/six/\n"
      "ERROR: Could not find a version that satisfies the requirement six (from versions: none)\n");
  EXPECT_EQ(offline.kind, Kind::kUnreachable);
  EXPECT_EQ(offline.detail, "https://index.example.org/simple ([Errno 111] Connection refused)");
  EXPECT_EQ(ReadPipFailure("ERROR: Exception:\nTraceback (most recent call last):\n"
                           "  File \"x.py\", line 1, in <module>\nAttributeError: no such thing\n")
                .detail,
            "AttributeError: no such thing");
  EXPECT_EQ(ReadPipFailure("ERROR: 401 Error, Credentials not correct for https://x\n").kind,
            Kind::kDenied);
}

}  // namespace
}  // namespace slipway::imagebuilder
