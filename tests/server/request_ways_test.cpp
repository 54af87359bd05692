// SPDX-License-Identifier: Apache-2.0
// A request is answered the same whichever way it takes through the server: whole and close behind
// the one before, in pieces, in chunks, at a path as its route names it or written otherwise.
#include <fmt/format.h>

#include <ostream>
#include <random>
#include <regex>
#include <set>
#include <utility>
#include <vector>

#include "tests/server/server_fixture.h"
#include "tests/support/raw_connection.h"

namespace slipway::server {
namespace {

constexpr unsigned kSeed = 20261122;
constexpr int kBodies = 400;

struct Reply {
  std::string status_line, body;
  bool operator==(const Reply&) const = default;
};
std::ostream& operator<<(std::ostream& out, const Reply& reply) {
  return out << reply.status_line << " | " << reply.body;
}

Reply ReplyOf(const std::string& response) {
  const std::size_t end = response.find("\r\n\r\n");
  if (end == std::string::npos) return {.status_line = response, .body = {}};
  return {.status_line = response.substr(0, response.find("\r\n")),
          .body = response.substr(end + 4)};
}

class RequestWaysTest : public ServerFixture {
 protected:
  void SetUp() override {
    ScorerOptions options = Tiny();
    options.threads = 2;
    Start(std::move(options));
    ASSERT_TRUE(loaded_) << loaded_.error().message;
    address_ = service_->addresses().at(0);
    input_ = service_->scorer().models()[0].model().inputs()[0].name;
    bodies_ = {R"({"data": [[1, 2.5], [-0.0, 1e-3]]})", "{\"" + input_ + "\":[[1,2],[3,4]]}",
               "{\"inputs\": {\"" + input_ +
                   R"(": {"dims": ["1", "2"], "dataType": 1, "floatData": [1, 2]}}})",
               "{\"inputs\": [{\"name\": \"" + input_ +
                   R"(", "shape": [1, 2], "datatype": "FP32", "data": [0.5, 65536]}]})",
               R"({"data": [["NaN", 123456.7], [1234567.8, 0.1]]})"};
  }

  static std::string Head(const std::string& target, const std::string& framing) {
    return fmt::format(
        "POST {} HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n{}\r\n\r\n", target,
        framing);
  }
  static std::string Whole(const std::string& target, const std::string& body) {
    return Head(target, fmt::format("Content-Length: {}", body.size())) + body;
  }
  static std::string Chunked(const std::string& target, std::string_view body, std::size_t size) {
    std::string text = Head(target, "Transfer-Encoding: chunked");
    for (; !body.empty(); body.remove_prefix(std::min(size, body.size()))) {
      const std::string_view chunk = body.substr(0, size);
      text += fmt::format("{:x}\r\n{}\r\n", chunk.size(), chunk);
    }
    return text + "0\r\n\r\n";
  }
  /// One of the bodies with some bytes changed, taken out, doubled or put in.
  std::string Broken(std::mt19937& random) const {
    static constexpr std::string_view kBytes = "[]{},:\"\\0123456789.-+eEnul \t\r\nNaIf\x80";
    const auto below = [&random](std::size_t count) { return random() % count; };
    std::string body = bodies_[below(bodies_.size())];
    for (std::size_t edits = below(4); edits > 0 && !body.empty(); --edits) {
      const std::size_t at = below(body.size());
      switch (below(4)) {
        case 0:
          body[at] = kBytes[below(kBytes.size())];
          break;
        case 1:
          body.erase(at, 1 + below(3));
          break;
        case 2:
          body.insert(at, 1, kBytes[below(kBytes.size())]);
          break;
        default:
          body.insert(at, body.substr(at, 1 + below(8)));
      }
    }
    return body;
  }

  Reply Ask(testing::RawConnection& raw, const std::string& request) {
    EXPECT_TRUE(raw.Send(request));
    return ReplyOf(raw.ReadResponse());
  }
  static Reply AskInPieces(testing::RawConnection& raw, std::string_view request,
                           std::mt19937& random) {
    while (!request.empty()) {
      const std::size_t count = std::min<std::size_t>(request.size(), 1 + random() % 80);
      EXPECT_TRUE(raw.Send(request.substr(0, count)));
      request.remove_prefix(count);
    }
    return ReplyOf(raw.ReadResponse());
  }

  std::string address_, input_;
  std::vector<std::string> bodies_;
};

TEST_F(RequestWaysTest, WholeInPiecesAndInChunks) {
  std::mt19937 random(kSeed);
  testing::RawConnection whole(address_), pieces(address_), chunks(address_);
  int good = 0, refused = 0;
  for (int i = 0; i < kBodies; ++i) {
    const std::string body = Broken(random);
    SCOPED_TRACE(body);
    const std::string request = Whole("/score", body);
    // Those before bring the server to look for the next one.
    for (int k = 0; k < 12; ++k) {
      ASSERT_EQ(Ask(whole, Whole("/score", bodies_[0])).body,
                R"({"output":[[2.0,5.0],[-0.0,0.002]]})");
    }
    const Reply reply = Ask(whole, request);
    EXPECT_EQ(reply, AskInPieces(pieces, request, random));
    EXPECT_EQ(reply, Ask(chunks, Chunked("/score", body, 1 + random() % 64)));
    const bool is_good = reply.status_line == "HTTP/1.1 200 OK";
    EXPECT_TRUE(is_good || reply.status_line == "HTTP/1.1 400 Bad Request") << reply;
    ++(is_good ? good : refused);
  }
  EXPECT_GT(good, kBodies / 8);
  EXPECT_GT(refused, kBodies / 8);
}

TEST_F(RequestWaysTest, PathsAsTheirRoutesNameThemAndWrittenOtherwise) {
  testing::RawConnection raw(address_);
  int paths = 0;
  for (const Route& route : AllRoutes()) {
    const std::string path(route.path);
    // What the server did meanwhile differs.
    if (path.find('{') != std::string::npos || path == "/metrics") continue;
    for (const char* method : {"GET", "POST", "OPTIONS", "PUT"}) {
      SCOPED_TRACE(method + path);
      const auto request = [&](const std::string& target) {
        return fmt::format("{} {} HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n{}", method,
                           target, bodies_[0].size(), bodies_[0]);
      };
      const Reply reply = Ask(raw, request(path));
      EXPECT_EQ(Ask(raw, request(path + "?")), reply);
      if (path == "/") continue;
      const std::string escaped = fmt::format("/%{:02x}{}", path[1], path.substr(2));
      Reply other = Ask(raw, request(escaped));
      // Errors show the path as it was written.
      if (const auto at = other.body.find(escaped); at != std::string::npos) {
        other.body.replace(at, escaped.size(), path);
      }
      EXPECT_EQ(other, reply);
      ++paths;
    }
  }
  EXPECT_GT(paths, 20);
}

TEST_F(RequestWaysTest, IdsAreUuidsAndNeverTheSame) {
  testing::RawConnection raw(address_);
  std::set<std::string> seen;
  const std::regex form(
      "x-request-id: ([0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12})\r\n");
  for (int i = 0; i < 200; ++i) {
    ASSERT_TRUE(raw.Send(Whole("/score", bodies_[0])));
    const std::string response = raw.ReadResponse();
    std::smatch found;
    ASSERT_TRUE(std::regex_search(response, found, form)) << response;
    EXPECT_TRUE(seen.insert(found[1]).second) << found[1];
  }
}

}  // namespace
}  // namespace slipway::server
