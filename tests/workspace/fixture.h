// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "base/file.h"
#include "base/http/client.h"
#include "base/http/server.h"
#include "tests/support/tempdir.h"
#include "tests/support/tiny_onnx.h"
#include "workspace/router.h"
#include "workspace/workspace.h"

namespace slipway::workspace {

/// `$SLIPWAY_SERVE`, else slipway-serve of this build; not there when only tests were built.
inline std::filesystem::path ServeProgram() {
  const char* given = std::getenv("SLIPWAY_SERVE");
  if (given != nullptr) return given;
  return std::filesystem::path(SLIPWAY_BINARY_DIR) / "bin" / "slipway-serve";
}

/// Files that tests upload: two good models, and bad ones of each kind.
inline void WriteModelFiles(const std::filesystem::path& folder) {
  const std::string tiny = testing::MakeTinyOnnx();
  const auto write = [&folder](std::string_view name, std::string_view content) {
    ASSERT_TRUE(WriteFileAtomic(folder / name, content));
  };
  write("tiny.onnx", tiny);
  write("times.onnx", testing::MakeTinyOnnx({.op_type = "Mul"}));
  write("unknown.onnx", testing::MakeTinyOnnx({.op_type = "Frobnicate"}));
  write("truncated.onnx", std::string_view(tiny).substr(0, tiny.size() / 2));
  write("text.onnx", "this is no model, it is a line of text\n");
  write("empty.onnx", "");
  write("hello.txt", "0123456789");
}

/// A workspace service in this process, over a state folder of its own.
class RunningWorkspace {
 public:
  explicit RunningWorkspace(std::filesystem::path state,
                            std::int64_t garbage_grace_seconds = 3600) {
    Config config{.state = std::move(state), .server_program = ServeProgram(), .pack_ahead = false};
    config.garbage_grace_seconds = garbage_grace_seconds;
    config.stop_grace = std::chrono::milliseconds(50);
    auto opened = Workspace::Open(std::move(config));
    if (!opened) {
      ADD_FAILURE() << opened.error().message;
      return;
    }
    workspace_ = *std::move(opened);
    router_ = std::make_unique<Router>(*workspace_);
    auto started = http::Server::Start(ServerOptionsFor({"127.0.0.1:0"}),
                                       [this](http::Request& r) { return router_->Handle(r); });
    if (!started) {
      ADD_FAILURE() << started.error().message;
      return;
    }
    server_ = *std::move(started);
  }
  ~RunningWorkspace() {
    if (workspace_) workspace_->StopOperations();
    if (server_) server_->Drain();
    if (workspace_) workspace_->Suspend();
  }
  RunningWorkspace(const RunningWorkspace&) = delete;
  RunningWorkspace& operator=(const RunningWorkspace&) = delete;

  bool ok() const { return server_ != nullptr; }
  Workspace& workspace() { return *workspace_; }
  std::string address() const { return "http://" + server_->addresses().front(); }
  Result<http::Response> Send(http::Request request) {
    request.target = address() + request.target;
    return client_->Send(request);
  }

 private:
  std::unique_ptr<http::Client> client_ = http::MakeClient({.retries = 0});
  std::unique_ptr<Workspace> workspace_;
  std::unique_ptr<Router> router_;
  std::unique_ptr<http::Server> server_;
};

}  // namespace slipway::workspace
