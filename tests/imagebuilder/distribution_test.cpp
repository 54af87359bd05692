// SPDX-License-Identifier: Apache-2.0
#include "imagebuilder/distribution.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "base/text.h"
#include "imagebuilder/distribution_auth.h"
#include "tests/imagebuilder/raw_layer.h"
#include "tests/support/fake_registry.h"
#include "tests/support/http_fixture.h"
#include "tests/support/image_fixture.h"

namespace slipway::imagebuilder {
namespace {

using ::testing::AllOf;
using testing::BlobFixture;
using ::testing::Contains;
using testing::FakeRegistry;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;
using State = FakeRegistry::State;

/// A clock whose sleep takes no time.
class QuickClock final : public Clock {
 public:
  TimePoint Now() override { return SystemClock().Now(); }
  std::chrono::steady_clock::time_point Steady() override { return SystemClock().Steady(); }
  void Sleep(std::chrono::milliseconds) override {}
};

class Distribution : public ::testing::Test {
 protected:
  Distribution() {
    // What gzip cannot make small, so that it does not go up in one request.
    std::string noise;
    while (noise.size() < (3U << 20U)) noise += RandomHex(4096);
    image_ = StoreImage(place_.blobs(),
                        {StoreLayer(place_.blobs(), RawTar({{.name = "a", .content = "1"}})),
                         StoreLayer(place_.blobs(), RawTar({{.name = "n", .content = noise}}))});
  }
  std::unique_ptr<Registry> Open(RegistryOptions options = {}, const std::string& tag = ":1") {
    auto reference = ParseRegistryReference(registry_.host() + "/team/digits" + tag);
    EXPECT_TRUE(reference) << reference.error().message;
    return Registry::Open(*reference, std::move(options), clock_);
  }
  RegistryOptions Login() { return {.login = {.username = "robot", .password = "p:ss"}}; }
  std::string Push(RegistryOptions options = {}) {
    const auto pushed = Open(std::move(options))->Push(place_.blobs(), image_);
    EXPECT_TRUE(pushed) << pushed.error().message;
    return pushed ? *pushed : "";
  }
  Result<Image> Pull(RegistryOptions options = {}, const std::string& tag = ":1") {
    return Open(std::move(options), tag)->Pull(other_.blobs());
  }
  void ExpectPulled(RegistryOptions options = {}) {
    const auto pulled = Pull(std::move(options));
    ASSERT_TRUE(pulled) << pulled.error().message;
    EXPECT_EQ(pulled->manifest, image_.manifest);
    EXPECT_TRUE(Validate(other_.blobs(), *pulled));
  }
  int Count(std::string_view prefix) {
    int count = 0;
    registry_.Change([&](State& state) {
      count = static_cast<int>(
          std::count_if(state.requests.begin(), state.requests.end(),
                        [&](const std::string& line) { return line.starts_with(prefix); }));
    });
    return count;
  }

  BlobFixture place_, other_;
  Image image_;
  FakeRegistry registry_;
  QuickClock clock_;
};

TEST_F(Distribution, WhatWasPushedComesBackTheSame) {
  EXPECT_EQ(Push(), image_.manifest.digest);
  ExpectPulled();
}

TEST_F(Distribution, SaysWhetherAnImageIsThere) {
  EXPECT_FALSE(*Open()->Has(image_.manifest.digest));
  Push();
  EXPECT_TRUE(*Open()->Has(image_.manifest.digest));
}

TEST_F(Distribution, ASecondPushUploadsNothing) {
  Push();
  const int uploads = Count("POST ");
  Push();
  EXPECT_EQ(Count("POST "), uploads);
}

TEST_F(Distribution, PartsGoUpOneAfterTheOther) {
  Push({.chunk_bytes = 700'000});
  EXPECT_GE(Count("PATCH "), 3);
  ExpectPulled();
}

TEST_F(Distribution, AnUploadGoesOnWhereItWasCutOff) {
  registry_.Change([](State& state) { state.keep_of_part = 500'000; });
  Push();
  registry_.Change([](State& state) {
    EXPECT_THAT(state.requests, Contains(StartsWith("GET /v2/team/digits/blobs/uploads/")));
  });
  EXPECT_EQ(Count("PATCH "), 1);
  ExpectPulled();
}

TEST_F(Distribution, AnUploadThatWasForgottenIsBegunAnew) {
  registry_.Change([](State& state) {
    state.keep_of_part = 10;
    state.uploads.clear();
  });
  Push({.progress = [this](std::string_view) {
    registry_.Change([](State& state) {
      if (state.keep_of_part < 0) state.uploads.clear();
    });
  }});
  ExpectPulled();
}

TEST_F(Distribution, ABlobOfAnotherRepositoryIsMounted) {
  registry_.Change([&](State& state) { state.mountable = image_.layers[1].blob.digest; });
  Push();
  registry_.Change(
      [&](State& state) { EXPECT_EQ(state.blobs.at(image_.layers[1].blob.digest), "mounted"); });
  EXPECT_EQ(Count("PATCH "), 0);
}

TEST_F(Distribution, ADownloadGoesOnWhereItWasCutOff) {
  Push();
  registry_.Change([](State& state) { state.break_after = 0; });
  ExpectPulled();
}

TEST_F(Distribution, ADownloadIsBegunAnewWhereTheRegistryHasNoRanges) {
  Push();
  registry_.Change([&](State& state) {
    state.has_ranges = false;
    // The config is small; the layer's first piece is what breaks.
    state.blobs.erase("none");
    state.break_after = 40;
  });
  ExpectPulled();
}

TEST_F(Distribution, FaultsThatPassAreWaitedOut) {
  registry_.Change([](State& state) { state.faults = {{.status = 503}, {.status = 429}}; });
  Push();
  registry_.Change([](State& state) { state.faults = {{.status = 500}, {.status = 502}}; });
  ExpectPulled();
}

TEST_F(Distribution, LogsInWithBasicAndWithBearer) {
  for (const auto auth : {FakeRegistry::Auth::kBasic, FakeRegistry::Auth::kBearer}) {
    registry_.Change([auth](State& state) {
      state = {};
      state.auth = auth;
    });
    const auto refused = Open()->Push(place_.blobs(), image_);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().id, "Registry.Unauthorized");
    const auto wrong = Open({.login = {.username = "robot", .password = "secret-word"}})
                           ->Push(place_.blobs(), image_);
    ASSERT_FALSE(wrong);
    EXPECT_EQ(wrong.error().id, "Registry.Unauthorized");
    EXPECT_THAT(wrong.error().message, Not(HasSubstr("secret-word")));
    Push(Login());
    ExpectPulled(Login());
  }
  registry_.Change([](State& state) { state.tokens = 0; });
  ExpectPulled({.login = {.identity_token = "refresh-me"}});
}

TEST_F(Distribution, ATokenThatExpiresOnTheWayIsRenewed) {
  registry_.Change([](State& state) { state.auth = FakeRegistry::Auth::kBearer; });
  RegistryOptions options = Login();
  int told = 0;
  options.progress = [&](std::string_view) {
    if (++told == 2) registry_.Change([](State& state) { ++state.tokens; });
  };
  EXPECT_EQ(Push(std::move(options)), image_.manifest.digest);
}

TEST_F(Distribution, CredentialsDoNotFollowARedirect) {
  registry_.Change([](State& state) { state.auth = FakeRegistry::Auth::kBasic; });
  Push(Login());
  std::mutex mutex;
  std::vector<std::string> seen;
  const auto storage = testing::StartServer(testing::LocalOptions(), [&](http::Request& request) {
    const std::lock_guard lock(mutex);
    seen.emplace_back(request.headers.Get("Authorization"));
    std::string bytes;
    registry_.Change([&](State& state) { bytes = state.blobs[request.target.substr(1)]; });
    return http::Response{.body = bytes};
  });
  registry_.Change([&](State& state) { state.storage = testing::UrlOf(*storage); });
  ExpectPulled(Login());
  EXPECT_EQ(seen, std::vector<std::string>(3));
  storage->Drain();
}

TEST_F(Distribution, WhatIsNotWhatItsDigestSaysIsNotStored) {
  Push();
  registry_.Change([&](State& state) {
    std::string& bytes = state.blobs[image_.layers[1].blob.digest];
    bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
  });
  const auto pulled = Pull();
  ASSERT_FALSE(pulled);
  EXPECT_EQ(pulled.error().id, "Blob.DigestMismatch");
  EXPECT_FALSE(other_.blobs().Has(*Digest::Parse(image_.layers[1].blob.digest)));
  const auto by_digest = Pull({}, "@sha256:" + std::string(64, '0'));
  EXPECT_EQ(by_digest.error().id, "Registry.NotFound");
  registry_.Change([&](State& state) {
    state.manifests["team/digits:sha256:" + std::string(64, '0')] =
        state.manifests["team/digits:1"];
  });
  EXPECT_EQ(Pull({}, "@sha256:" + std::string(64, '0')).error().id, "Registry.DigestMismatch");
}

TEST_F(Distribution, ABlobThatIsTooLongIsRefused) {
  Push();
  registry_.Change([&](State& state) { state.blobs[image_.config.digest] += "more"; });
  EXPECT_FALSE(Pull());
  EXPECT_FALSE(other_.blobs().Has(*Digest::Parse(image_.config.digest)));
}

TEST_F(Distribution, AnIndexLeadsToTheImageOfTheArchitecture) {
  Push();
  const Json index = {{"schemaVersion", 2},
                      {"manifests",
                       {{{"digest", "sha256:" + std::string(64, '1')},
                         {"platform", {{"os", "linux"}, {"architecture", "s390x"}}}},
                        {{"digest", image_.manifest.digest},
                         {"platform", {{"os", "linux"}, {"architecture", "amd64"}}}}}}};
  registry_.Change([&](State& state) {
    state.manifests["team/digits:1"] = {.type = "application/vnd.oci.image.index.v1+json",
                                        .text = DumpJson(index)};
  });
  ExpectPulled();
  const auto none = Open()->Pull(other_.blobs(), "riscv64");
  EXPECT_EQ(none.error().id, "Registry.NotFound");
  EXPECT_THAT(none.error().message, HasSubstr("linux/s390x"));
}

TEST_F(Distribution, ADockerManifestIsStoredInItsOciForm) {
  Push();
  registry_.Change([&](State& state) {
    Json manifest = *ParseJson(state.manifests["team/digits:1"].text);
    manifest["mediaType"] = "application/vnd.docker.distribution.manifest.v2+json";
    manifest["config"]["mediaType"] = "application/vnd.docker.container.image.v1+json";
    for (Json& layer : manifest["layers"]) {
      layer["mediaType"] = "application/vnd.docker.image.rootfs.diff.tar.gzip";
    }
    state.manifests["team/digits:1"] = {
        .type = "application/vnd.docker.distribution.manifest.v2+json", .text = DumpJson(manifest)};
  });
  const auto pulled = Pull();
  ASSERT_TRUE(pulled) << pulled.error().message;
  EXPECT_EQ(pulled->config, image_.config);
}

TEST_F(Distribution, AnswersThatMakeNoSenseDoNoHarm) {
  const http::Response odd[] = {{.status = 200, .headers = {}, .body = "<html>"},
                                {.status = 302, .headers = {{"Location", "ftp://x"}}},
                                {.status = 302, .headers = {{"Location", "/v2/loop"}}},
                                {.status = 401, .headers = {{"WWW-Authenticate", "Bearer"}}},
                                {.status = 401, .headers = {{"WWW-Authenticate", "=,=\"\\"}}},
                                {.status = 202},
                                {.status = 418, .headers = {}, .body = "{\"errors\": [3, {}]}"}};
  for (const http::Response& answer : odd) {
    registry_.Change([&](State& state) { state.faults.assign(100, answer); });
    EXPECT_FALSE(Pull()) << answer.status;
    const bool claims_all = answer.status == 200;
    EXPECT_EQ(Open()->Push(place_.blobs(), image_).has_value(), claims_all) << answer.status;
  }
  EXPECT_EQ(other_.FilesStored(), 0);
}

TEST_F(Distribution, ATransferCanBeCancelled) {
  bool stop = false;
  RegistryOptions options{.progress = [&](std::string_view) { stop = true; },
                          .cancelled = [&] { return stop; }};
  const auto pushed = Open(std::move(options))->Push(place_.blobs(), image_);
  ASSERT_FALSE(pushed);
  EXPECT_EQ(pushed.error().id, "Image.Cancelled");
}

TEST_F(Distribution, ARegistryThatIsNotThereIsNamed) {
  const auto reference = ParseRegistryReference("127.0.0.1:1/x:1");
  ASSERT_TRUE(reference);
  const auto pulled = Registry::Open(*reference, {.tries = 1}, clock_)->Pull(other_.blobs());
  EXPECT_EQ(pulled.error().id, "Registry.Unreachable");
  EXPECT_THAT(pulled.error().message, HasSubstr("127.0.0.1:1"));
}

TEST(RegistryReferenceTest, ReadsWhatEnginesRead) {
  const auto full = ParseRegistryReference("r.example.com:5000/team/digits:v1");
  ASSERT_TRUE(full);
  EXPECT_EQ(full->host, "r.example.com:5000");
  EXPECT_EQ(full->repository, "team/digits");
  EXPECT_EQ(full->tag, "v1");
  const std::string digest = "sha256:" + std::string(64, 'a');
  const auto pinned = ParseRegistryReference("localhost/x@" + digest);
  ASSERT_TRUE(pinned);
  EXPECT_EQ(pinned->tag, "");
  EXPECT_EQ(pinned->digest, digest);
  EXPECT_EQ(pinned->At(digest), "localhost/x@" + digest);
  EXPECT_EQ(ParseRegistryReference("docker.io/alpine")->repository, "library/alpine");
  EXPECT_EQ(ParseRegistryReference("docker.io/alpine")->tag, "latest");
  for (const char* bad : {"", "digits:1", "team/digits:1", "r.example.com/", "r.example.com/X:1",
                          "r.example.com/x:", "r.example.com/x@sha256:12", "https://r.io/x:1"}) {
    const auto refused = ParseRegistryReference(bad);
    ASSERT_FALSE(refused) << bad;
    EXPECT_EQ(refused.error().id, "Image.Reference") << bad;
  }
}

TEST(ChallengeTest, ReadsFieldsOfRfc9110) {
  const auto all = ParseChallenges(
      R"(Basic realm="a, \"b\"", Bearer realm="https://x/t",service=s , scope = "r:n:pull,push")");
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0].parameters.at("realm"), "a, \"b\"");
  EXPECT_EQ(all[1].scheme, "bearer");
  EXPECT_EQ(all[1].parameters.at("service"), "s");
  EXPECT_EQ(all[1].parameters.at("scope"), "r:n:pull,push");
  for (const char* odd : {"", ",", "=", "\"", "Bearer realm=\"", "a b c", "Bearer realm"}) {
    EXPECT_LE(ParseChallenges(odd).size(), 3U) << odd;
  }
}

TEST(UrlTest, OriginsAndPlaces) {
  EXPECT_EQ(OriginOf("https://R.example.com/x"), "https://r.example.com:443");
  EXPECT_EQ(OriginOf("http://u:p@h:5000?x"), "http://h:5000");
  EXPECT_EQ(OriginOf("ftp://h"), "");
  EXPECT_EQ(ResolveUrl("https://h:1/v2/a?b", "/v2/c"), "https://h:1/v2/c");
  EXPECT_EQ(ResolveUrl("https://h:1/v2/a", "//evil/x"), "");
  EXPECT_EQ(ResolveUrl("https://h:1/v2/a", "https://o/x"), "https://o/x");
  EXPECT_TRUE(IsLoopbackHost("127.0.0.1:5000"));
  EXPECT_TRUE(IsLoopbackHost("localhost"));
  EXPECT_FALSE(IsLoopbackHost("127.evil.com:5000"));
  EXPECT_FALSE(IsLoopbackHost("127.0.0.1.evil.com"));
}

}  // namespace
}  // namespace slipway::imagebuilder
