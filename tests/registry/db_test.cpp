// SPDX-License-Identifier: Apache-2.0
#include "registry/db.h"

#include <sys/stat.h>

#include <algorithm>
#include <thread>
#include <vector>

#include "tests/registry/fixture.h"

namespace slipway::registry::testing {
namespace {

using Values = std::vector<SqlValue>;

class DatabaseTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_NE(db_, nullptr);
    Must(
        db_->Execute("CREATE TABLE t (id INTEGER PRIMARY KEY, text TEXT UNIQUE, real REAL, "
                     "parent INTEGER REFERENCES t (id), CHECK (id < 1000)) STRICT"));
  }
  Result<std::int64_t> Add(std::int64_t id) {
    return db_->Execute("INSERT INTO t (id) VALUES (?)", Values{id});
  }
  Result<void> AddOne(std::int64_t id) {
    return db_->Transaction([&]() -> Result<void> {
      TRY(Add(id));
      return {};
    });
  }
  std::vector<std::int64_t> Ids() {
    std::vector<std::int64_t> ids;
    Must(db_->Query("SELECT id FROM t ORDER BY id", {},
                    [&](const Row& row) { ids.push_back(row.Int(0)); }));
    return ids;
  }
  std::string Pragma(const std::string& name) {
    std::string value;
    Must(db_->Query("PRAGMA " + name, {}, [&](const Row& row) { value = row.Text(0); }));
    return value;
  }

  slipway::testing::TempDir folder_;
  std::filesystem::path file_ = folder_ / "slipway.db";
  std::unique_ptr<Database> db_ = Must(Database::Open(file_));
};

Error Fail() { return {.code = Code::kNotFound, .message = "on purpose"}; }

TEST_F(DatabaseTest, KeepsValuesOfEveryKind) {
  const std::string text("with \0 inside and ü", 20);
  Must(db_->Execute("INSERT INTO t VALUES (?, ?, ?, ?)",
                    Values{std::int64_t{7}, text, 1.5, std::monostate{}}));
  int rows = 0;
  Must(db_->Query("SELECT * FROM t WHERE id = ?", Values{std::int64_t{7}}, [&](const Row& row) {
    ++rows;
    EXPECT_EQ(row.Int(0), 7);
    EXPECT_EQ(row.Text(1), text);
    EXPECT_EQ(row.Real(2), 1.5);
    EXPECT_FALSE(row.IsNull(2));
    EXPECT_TRUE(row.IsNull(3));
    EXPECT_EQ(row.Text(3), "");
  }));
  EXPECT_EQ(rows, 1);
}

TEST_F(DatabaseTest, IsDurableAndKeepsItsRules) {
  EXPECT_EQ(Pragma("journal_mode"), "wal");
  EXPECT_EQ(Pragma("synchronous"), "2");
  EXPECT_EQ(Pragma("foreign_keys"), "1");
  EXPECT_EQ(Pragma("trusted_schema"), "0");
}

TEST_F(DatabaseTest, BelongsToItsOwnerAlone) {
  struct stat status {};
  for (const char* suffix : {"", "-wal", "-shm"}) {
    ASSERT_EQ(::stat((file_.string() + suffix).c_str(), &status), 0) << suffix;
    EXPECT_EQ(status.st_mode & 0777, 0600U) << suffix;
  }
}

TEST_F(DatabaseTest, SaysHowManyRowsAStatementChanged) {
  EXPECT_EQ(Must(Add(1)), 1);
  EXPECT_EQ(Must(Add(2)), 1);
  EXPECT_EQ(Must(db_->Execute("UPDATE t SET real = 2")), 2);
  EXPECT_EQ(Must(db_->Execute("UPDATE t SET real = 2 WHERE id = 9")), 0);
  EXPECT_EQ(Must(db_->Execute("CREATE TABLE u (id INTEGER)")), 0);
}

TEST_F(DatabaseTest, TellsConstraintsApart) {
  Must(db_->Execute("INSERT INTO t (id, text) VALUES (1, 'a')"));
  EXPECT_EQ(MustFail(Add(1)).code, Code::kAlreadyExists);
  EXPECT_EQ(MustFail(db_->Execute("INSERT INTO t (id, text) VALUES (2, 'a')")).code,
            Code::kAlreadyExists);
  EXPECT_EQ(MustFail(db_->Execute("INSERT INTO t (id, parent) VALUES (2, 5)")).code,
            Code::kFailedPrecondition);
  EXPECT_EQ(MustFail(Add(1000)).code, Code::kInvalidArgument);
  EXPECT_EQ(Ids(), std::vector<std::int64_t>{1});
}

TEST_F(DatabaseTest, RefusesWhatIsNotOneStatement) {
  EXPECT_EQ(MustFail(db_->Execute("")).code, Code::kInternal);
  EXPECT_EQ(MustFail(db_->Execute("DELETE FROM t; DROP TABLE t")).code, Code::kInternal);
  EXPECT_EQ(MustFail(db_->Execute("INSERT INTO t (id) VALUES (?)")).code, Code::kInternal);
  const Error error = MustFail(db_->Execute("SELECT * FROM missing"));
  EXPECT_EQ(error.code, Code::kInternal);
  EXPECT_THAT(error.message, ::testing::HasSubstr("missing"));
  EXPECT_THAT(error.message, ::testing::HasSubstr(file_.string()));
}

TEST_F(DatabaseTest, RowsMayUseTheDatabaseAndTheSameStatement) {
  for (const std::int64_t id : {1, 2, 3}) Must(Add(id));
  std::int64_t pairs = 0;
  const std::string sql = "SELECT id FROM t ORDER BY id";
  Must(db_->Query(sql, {},
                  [&](const Row&) { Must(db_->Query(sql, {}, [&](const Row&) { ++pairs; })); }));
  EXPECT_EQ(pairs, 9);
  Must(db_->Query(sql, {}, [&](const Row&) { ++pairs; }));
  EXPECT_EQ(pairs, 12);
}

TEST_F(DatabaseTest, ServesMoreStatementsThanItKeeps) {
  for (int i = 0; i < 1000; ++i) {
    std::int64_t got = -1;
    Must(db_->Query("SELECT " + std::to_string(i), {}, [&](const Row& row) { got = row.Int(0); }));
    ASSERT_EQ(got, i);
  }
}

TEST_F(DatabaseTest, TransactionIsAllOrNothing) {
  const auto done = db_->Transaction([&]() -> Result<void> {
    TRY(Add(1));
    TRY(Add(2));
    return Fail();
  });
  EXPECT_EQ(MustFail(done).message, "on purpose");
  EXPECT_TRUE(Ids().empty());
  Must(db_->Transaction([&]() -> Result<void> {
    TRY(Add(1));
    TRY(Add(2));
    return {};
  }));
  EXPECT_EQ(Ids().size(), 2U);
}

TEST_F(DatabaseTest, InnerTransactionIsUndoneAlone) {
  Must(db_->Transaction([&]() -> Result<void> {
    TRY(Add(1));
    const auto inner = db_->Transaction([&]() -> Result<void> {
      TRY(Add(2));
      TRY(AddOne(3));
      return Fail();
    });
    EXPECT_FALSE(inner);
    TRY(AddOne(4));
    return {};
  }));
  EXPECT_EQ(Ids(), (std::vector<std::int64_t>{1, 4}));
}

TEST_F(DatabaseTest, InnerTransactionGoesWithTheOuter) {
  EXPECT_FALSE(db_->Transaction([&]() -> Result<void> {
    TRY(AddOne(1));
    return Fail();
  }));
  EXPECT_TRUE(Ids().empty());
}

TEST_F(DatabaseTest, NothingIsWrittenAfterATransactionEndedEarly) {
  const auto done = db_->Transaction([&]() -> Result<void> {
    TRY(Add(1));
    const auto inner = db_->Transaction([&]() -> Result<void> {
      EXPECT_FALSE(db_->Execute("INSERT OR ROLLBACK INTO t (id) VALUES (1)"));
      return {};
    });
    EXPECT_FALSE(inner);
    EXPECT_EQ(MustFail(Add(2)).code, Code::kAlreadyExists);
    EXPECT_EQ(MustFail(db_->Transaction([]() -> Result<void> { return {}; })).code,
              Code::kAlreadyExists);
    return {};
  });
  EXPECT_EQ(MustFail(done).code, Code::kAlreadyExists);
  EXPECT_TRUE(Ids().empty());
  Must(Add(3));
  EXPECT_EQ(Ids(), std::vector<std::int64_t>{3});
}

TEST_F(DatabaseTest, IsSharedByThreads) {
  std::vector<std::thread> threads;
  for (std::int64_t thread = 0; thread < 8; ++thread) {
    threads.emplace_back([&, thread] {
      for (std::int64_t i = 0; i < 50; ++i) {
        const auto done = db_->Transaction([&]() -> Result<void> {
          TRY(Add(thread * 100 + i));
          return i % 2 == 0 ? Result<void>() : Fail();
        });
        EXPECT_EQ(done.has_value(), i % 2 == 0);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  const std::vector<std::int64_t> ids = Ids();
  EXPECT_EQ(ids.size(), 200U);
  EXPECT_TRUE(std::ranges::all_of(ids, [](std::int64_t id) { return id % 2 == 0; }));
}

TEST_F(DatabaseTest, OpensAgainWithWhatWasWritten) {
  Must(Add(1));
  db_.reset();
  db_ = Must(Database::Open(file_));
  EXPECT_EQ(Ids(), std::vector<std::int64_t>{1});
}

}  // namespace
}  // namespace slipway::registry::testing
