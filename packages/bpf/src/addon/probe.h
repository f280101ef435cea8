// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <napi.h>

namespace fleetflame {

/// What only system calls can tell about this machine: NativeProbe of addon.ts.
Napi::Value probe(const Napi::CallbackInfo& info);

}  // namespace fleetflame
