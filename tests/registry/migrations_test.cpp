// SPDX-License-Identifier: Apache-2.0
#include "registry/migrations.h"

#include <thread>
#include <vector>

#include "registry/db.h"
#include "registry/model_store.h"
#include "tests/registry/fixture.h"

namespace slipway::registry::testing {
namespace {

constexpr EmbeddedFile kFirst{"0001_a.sql",
                              "CREATE TABLE a (id INTEGER); CREATE TABLE b (x TEXT);"};
constexpr EmbeddedFile kSecond{"0002_b.sql", "ALTER TABLE b ADD COLUMN y TEXT;\n-- the end\n"};
constexpr EmbeddedFile kBroken{"0003_c.sql", "CREATE TABLE c (id INTEGER); CREATE TABLE a (x);"};

using Files = std::vector<EmbeddedFile>;

class MigrationsTest : public ::testing::Test {
 protected:
  std::int64_t Count(const std::string& from) {
    std::int64_t count = -1;
    Must(db_->Query("SELECT count(*) FROM " + from, {},
                    [&](const Row& row) { count = row.Int(0); }));
    return count;
  }

  slipway::testing::TempDir folder_;
  std::filesystem::path file_ = folder_ / "slipway.db";
  std::unique_ptr<Database> db_ = Must(Database::Open(file_));
};

TEST_F(MigrationsTest, AppliesEachOnceInOrder) {
  Must(db_->Migrate("m", Files{kFirst}));
  Must(db_->Migrate("m", Files{kFirst}));
  Must(db_->Migrate("m", Files{kSecond, kFirst}));
  Must(db_->Execute("INSERT INTO b (x, y) VALUES ('1', '2')"));
  Must(db_->Migrate("m", Files{kFirst, kSecond}));
  EXPECT_EQ(Count("b"), 1);
  EXPECT_EQ(Count("schema_migrations"), 2);
}

TEST_F(MigrationsTest, ModulesCountOnTheirOwn) {
  Must(db_->Migrate("m", Files{kFirst}));
  Must(db_->Migrate("n", Files{{"0001_n.sql", "CREATE TABLE n (id INTEGER);"}}));
  EXPECT_EQ(Count("schema_migrations"), 2);
}

TEST_F(MigrationsTest, AFailedOneLeavesNothingOfTheRun) {
  const Error error = MustFail(db_->Migrate("m", Files{kFirst, kSecond, kBroken}));
  EXPECT_THAT(error.message, ::testing::HasSubstr("m/0003_c.sql"));
  EXPECT_EQ(Count("schema_migrations"), 0);
  EXPECT_EQ(Count("sqlite_schema WHERE name IN ('a', 'b', 'c')"), 0);
}

TEST_F(MigrationsTest, OneThatEndsTheTransactionFails) {
  EXPECT_FALSE(db_->Migrate("m", Files{{"0001_x.sql", "CREATE TABLE x (id); COMMIT;"}}));
  EXPECT_EQ(Count("schema_migrations"), 0);
}

TEST_F(MigrationsTest, RefusesANewerSchema) {
  Must(db_->Migrate("m", Files{kFirst, kSecond}));
  const auto migrated = db_->Migrate("m", Files{kFirst});
  EXPECT_THAT(migrated, FailsWith(Code::kFailedPrecondition, "State.Newer"));
  const Error error = MustFail(migrated);
  EXPECT_THAT(error.message, ::testing::HasSubstr("m schema 2 "));
  EXPECT_THAT(error.message, ::testing::HasSubstr("knows schema 1"));
  EXPECT_THAT(error.message, ::testing::HasSubstr(file_.string()));
  EXPECT_FALSE(error.fix.empty());
}

TEST_F(MigrationsTest, RefusesAnAppliedOneThatChanged) {
  Must(db_->Migrate("m", Files{kFirst}));
  const Error error =
      MustFail(db_->Migrate("m", Files{{kFirst.name, "CREATE TABLE other (id INTEGER);"}}));
  EXPECT_EQ(error.code, Code::kInternal);
  EXPECT_THAT(error.message, ::testing::HasSubstr("0001_a.sql"));
}

TEST_F(MigrationsTest, RefusesBadNames) {
  for (const char* name : {"a.sql", "001_a.sql", "0001a.sql", "0001_a.txt", "0002_a.sql", ""}) {
    EXPECT_EQ(MustFail(db_->Migrate("m", Files{{name, "SELECT 1;"}})).code, Code::kInternal)
        << name;
  }
}

TEST_F(MigrationsTest, SeveralAtOnceApplyOnce) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      const auto db = Must(Database::Open(file_));
      if (db != nullptr) Must(db->Migrate("m", Files{kFirst, kSecond}));
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(Count("schema_migrations"), 2);
}

TEST_F(MigrationsTest, RegistryComesFromEveryEarlierSchema) {
  const auto all = migration_files();
  for (std::size_t known = 0; known <= all.size(); ++known) {
    const auto db = Must(Database::Open(folder_ / (std::to_string(known) + ".db")));
    ASSERT_NE(db, nullptr);
    Must(db->Migrate("registry", all.subspan(0, known)));
    Must(db->Migrate("registry", all));
    std::int64_t failed = 0;
    Must(db->Query("PRAGMA foreign_key_check", {}, [&](const Row&) { ++failed; }));
    EXPECT_EQ(failed, 0);
  }
}

}  // namespace
}  // namespace slipway::registry::testing
