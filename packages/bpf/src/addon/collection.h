// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <napi.h>

#include "outbox.h"

namespace fleetflame {

/// The Collection of sampler.ts.
Napi::Object toCollection(Napi::Env env, const Outgoing& outgoing);

}  // namespace fleetflame
