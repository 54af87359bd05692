// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <shared_mutex>
#include <string>
#include <vector>

#include "base/result.h"
#include "registry/registry.h"
#include "workspace/image_holds.h"
#include "workspace/operations.h"
#include "workspace/store.h"

/// The steps by which an operation changes a service.
namespace slipway::workspace {

class Workspace;

/// A service on its way through an operation: as it was, as it is to be, and the image that is
/// built for it on the way, if one is.
struct ServiceWork {
  ServiceRow before, after;
  bool exists = false;     ///< `before` is a service that there was
  bool goes_back = false;  ///< on failure `before` is what remains
  bool redeploys = true;   ///< otherwise only what is told of the service changes
  std::vector<registry::ModelVersion> models;  ///< to build `image` of; empty: it is built
  api::Image image;
  ImageHolds::Hold hold;                     ///< of the image that is deployed
  std::vector<ImageHolds::Hold> more_holds;  ///< of those that run beside it
  std::shared_lock<std::shared_mutex> keep;  ///< taken by RunService, for the blobs of `image`
};

/// `/workspaces/W/services/NAME`
std::string ResourcePath(const ServiceRow& row);

void SetImage(ServiceWork& work, const api::Image& image);
/// The same of an image that is built already, which now stays until the work is over. In the
/// transaction of the operation's beginning. kNotFound, kFailedPrecondition as GetReadyImage.
Result<void> HoldImage(Workspace& workspace, ServiceWork& work, const std::string& id);

/// Reads the row into `before`, marks it Transitioning, and copies it to `after` with the next
/// revision. kFailedPrecondition (id `Service.Busy`) while another operation works on it. In the
/// transaction of the operation's beginning.
Result<void> TakeService(Workspace& workspace, ServiceWork& work, const std::string& operation_id);

/// An operation that changes a service as `prepare`, in the transaction of its beginning, says;
/// what answers in the end is kept as a revision.
Result<api::Operation> StartServiceWork(
    Workspace& workspace, const std::shared_ptr<ServiceWork>& work, std::string kind,
    std::function<Result<void>(const std::string& operation_id)> prepare);
/// Writes what the service is now, after RunService has succeeded.
Result<void> FinishService(Workspace& workspace, const ServiceWork& work);

/// Builds the image, if one is to be built.
Result<void> BuildService(Workspace& workspace, ServiceWork& work, Progress& progress);
/// Builds what is to be built, deploys, waits until it answers. On failure what ran before runs
/// again.
Result<void> RunService(Workspace& workspace, ServiceWork& work, Progress& progress);

/// Brings back what ran before, or removes what there was not, after RunService has succeeded and
/// something else has not.
void UndoService(Workspace& workspace, ServiceWork& work, Progress& progress);

/// Writes what remains of the service after a failure.
Result<void> FailService(Workspace& workspace, ServiceWork& work, const Error& error);

/// Stops it and forgets it at its target; a failure is logged.
void RemoveFromTarget(Workspace& workspace, const ServiceRow& row);

}  // namespace slipway::workspace
