// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <memory>
#include <string>

#include "deployer/deployer.h"
#include "deployer/process/socket.h"
#include "tests/support/fake_azure.h"
#include "tests/support/tempdir.h"

namespace slipway::deployer {

/// A state folder, an Azure in this program, and a driver that may log in there.
class AciFixture {
 public:
  AciFixture() : client_(http::MakeClient({.retries = 0})) {
    ::setenv("SLIPWAY_ACI_ENDPOINT", azure_.url().c_str(), 1);
    ::setenv("AZURE_AUTHORITY_HOST", azure_.url().c_str(), 1);
    ::setenv("AZURE_TENANT_ID", "tenant", 1);
    ::setenv("AZURE_CLIENT_ID", "app", 1);
    ::setenv("AZURE_CLIENT_SECRET", "right secret", 1);
    ::unsetenv("AZURE_ACCESS_TOKEN");
    Open();
  }

  void Open() {
    targets_ = Targets::Make({.run_folder = state_ / "run",
                              .log_folder = state_ / "logs",
                              .http = *client_,
                              .clock = SystemClock()});
    auto driver = targets_->Find("aci");
    EXPECT_TRUE(driver) << driver.error().message;
    driver_ = driver ? *driver : nullptr;
  }

  DeploySpec Spec(const std::string& mode, const std::string& say = "hello",
                  std::int64_t revision = 1) const {
    DeploySpec spec{.workspace = "w",
                    .service = "digits",
                    .revision = revision,
                    .image_reference = "digits:1",
                    .image_digest = "sha256:" + std::string(64, 'a'),
                    .entrypoint = {"/opt/slipway/bin/slipway-serve"},
                    .environment = {"FAKE=" + mode, "SAY=" + say}};
    spec.deployment = DefaultDeployment("aci");
    spec.deployment.location = "West Europe";
    spec.deployment.port = port_;
    spec.deployment.aci = {.subscription_id = "sub-1", .resource_group = "group-1"};
    spec.image_location = "r.example/digits@sha256:" + std::string(64, 'a');
    return spec;
  }

  testing::TempDir state_;
  testing::FakeAzure azure_;
  const ServiceKey key_{"w", "digits"};
  const int port_ = ListenOn("127.0.0.1", 0)->port;
  std::unique_ptr<http::Client> client_;
  std::unique_ptr<Targets> targets_;
  Driver* driver_ = nullptr;
};

}  // namespace slipway::deployer
