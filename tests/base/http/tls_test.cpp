// SPDX-License-Identifier: Apache-2.0
/// The client against TLS servers of the `openssl` program, with certificate authorities made on
/// the spot: whom it trusts and whom not.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/file.h"
#include "base/http/client.h"
#include "base/process.h"
#include "base/text.h"
#include "tests/support/tempdir.h"

namespace slipway::http {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using ::testing::HasSubstr;

constexpr milliseconds kPatience{20'000};
constexpr std::int64_t kTextMax = 1 << 20;

std::string Slurp(const fs::path& file) {
  const auto text = ReadFile(file, kTextMax);
  return text ? *text : "";
}

class Tls : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!OpenSsl("version")) GTEST_SKIP() << "the program openssl is not installed";
    MakeAuthority("ca");
    MakeCertificate("server", "ca", "IP:127.0.0.1,DNS:localhost", "30");
  }
  void TearDown() override {
    if (server_) static_cast<void>(Terminate(*server_, milliseconds(2'000)).has_value());
  }

  /// Runs `openssl WORDS` in the folder.
  bool OpenSsl(const std::string& words) {
    const auto process = Start(words);
    return process && WaitForExit(*process, kPatience) == 0;
  }

  void MakeAuthority(const std::string& name) {
    ASSERT_TRUE(
        OpenSsl("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30"
                " -subj /CN=Test-authority-" +
                name + " -keyout " + name + ".key -out " + name + ".pem"))
        << Slurp(log());
  }

  void MakeCertificate(const std::string& name, const std::string& authority,
                       const std::string& alternatives, const std::string& days) {
    ASSERT_TRUE(WriteFileAtomic(folder_ / "ext", "subjectAltName=" + alternatives + "\n"));
    ASSERT_TRUE(
        OpenSsl("req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=localhost"
                " -keyout " +
                name + ".key -out " + name + ".csr"))
        << Slurp(log());
    ASSERT_TRUE(OpenSsl("x509 -req -in " + name + ".csr -CA " + authority + ".pem -CAkey " +
                        authority + ".key -CAcreateserial -extfile ext -days " + days + " -out " +
                        name + ".pem"))
        << Slurp(log());
  }

  /// Serves with the certificate; `url_` is where.
  void Serve(const std::string& name) {
    const auto started =
        Start("s_server -accept 127.0.0.1:0 -www -cert " + name + ".pem -key " + name + ".key");
    ASSERT_TRUE(started);
    server_ = *started;
    for (int i = 0; i < 1'000 && IsRunning(*server_); ++i) {
      const std::string said = Slurp(log());
      const std::size_t at = said.find("ACCEPT 127.0.0.1:");
      if (at != std::string::npos && said.find('\n', at) != std::string::npos) {
        port_ = said.substr(at + 17, said.find('\n', at) - at - 17);
        url_ = "https://127.0.0.1:" + port_ + "/";
        return;
      }
      std::this_thread::sleep_for(milliseconds(10));
    }
    FAIL() << "openssl does not serve: " << Slurp(log());
  }

  Result<Response> Get(ClientOptions options, const std::string& url) {
    options.retries = 0;
    options.total_timeout = milliseconds(10'000);
    return MakeClient(std::move(options))->Send({.target = url});
  }

  void ExpectUntrusted(const Result<Response>& answer, const std::string& says) {
    ASSERT_FALSE(answer) << answer->body;
    EXPECT_EQ(answer.error().code, Code::kPermissionDenied);
    EXPECT_EQ(answer.error().id, "Tls.Untrusted");
    EXPECT_THAT(answer.error().message, HasSubstr("127.0.0.1:" + port_));
    EXPECT_THAT(answer.error().message, HasSubstr(says));
    EXPECT_EQ(answer.error().message.find('\n'), std::string::npos);
    EXPECT_FALSE(answer.error().fix.empty());
  }

  fs::path log() const { return folder_ / "openssl.log"; }
  fs::path ca() const { return folder_ / "ca.pem"; }

  testing::TempDir folder_;
  std::string url_, port_;

 private:
  Result<ProcessId> Start(const std::string& words) {
    std::vector<std::string> argv = Split("openssl " + words, ' ');
    return Spawn({.argv = std::move(argv),
                  .environment = {"PATH=/usr/bin:/bin", "HOME=" + folder_.path().string()},
                  .folder = folder_.path(),
                  .log = log()});
  }
  std::optional<ProcessId> server_;
};

TEST_F(Tls, RefusesAnAuthorityThatIsNotTrusted) {
  Serve("server");
  ExpectUntrusted(Get({}, url_), "certificate");
}

TEST_F(Tls, AcceptsTheAuthorityItIsTold) {
  Serve("server");
  const auto answer = Get({.ca_file = ca()}, url_);
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->status, 200);
  EXPECT_THAT(answer->body, HasSubstr("Cipher"));
}

TEST_F(Tls, RefusesAnotherAuthority) {
  MakeAuthority("other");
  Serve("server");
  ExpectUntrusted(Get({.ca_file = folder_ / "other.pem"}, url_), "certificate");
}

TEST_F(Tls, RefusesACertificateOfAnotherName) {
  MakeCertificate("elsewhere", "ca", "DNS:elsewhere.example", "30");
  Serve("elsewhere");
  ExpectUntrusted(Get({.ca_file = ca()}, url_), "127.0.0.1");
}

TEST_F(Tls, RefusesACertificateThatHasExpired) {
  MakeCertificate("old", "ca", "IP:127.0.0.1", "-1");
  Serve("old");
  ExpectUntrusted(Get({.ca_file = ca()}, url_), "expired");
}

TEST_F(Tls, SaysThatTheAuthoritysFileIsNotThere) {
  Serve("server");
  const auto answer = Get({.ca_file = folder_ / "missing.pem"}, url_);
  ASSERT_FALSE(answer);
  EXPECT_THAT(answer.error().message, HasSubstr("missing.pem"));
}

TEST_F(Tls, PlainRequestToATlsServerIsAnErrorAndNoHang) {
  Serve("server");
  const auto answer = Get({}, "http://127.0.0.1:" + port_ + "/");
  if (answer) {
    EXPECT_GE(answer->status, 400);
  } else {
    EXPECT_EQ(answer.error().code, Code::kUnavailable);
  }
}

}  // namespace
}  // namespace slipway::http
