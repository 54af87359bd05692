// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace slipway::server {

/// Makes the threads of parallel kernels sleep while they wait for each other, not spin: a server
/// shares its cores, with other requests and other programs. The OpenMP library reads its
/// environment as it is loaded, so this starts the program again, with the same arguments, unless
/// OMP_WAIT_POLICY or GOMP_SPINCOUNT say what is wanted. Call it first in main().
void UsePassiveWaiting();

}  // namespace slipway::server
