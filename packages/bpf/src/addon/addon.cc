// SPDX-License-Identifier: Apache-2.0
#include <napi.h>

#include "../foreign/foreign-files-object.h"
#include "probe.h"
#include "sampler-object.h"

static Napi::Object initialize(Napi::Env env, Napi::Object exports) {
  exports.Set("Sampler", fleetflame::SamplerObject::define(env));
  exports.Set("ForeignFiles", fleetflame::ForeignFilesObject::define(env));
  exports.Set("foreignFileStats", Napi::Function::New(env, fleetflame::foreignFileStats, "foreignFileStats"));
  exports.Set("probe", Napi::Function::New(env, fleetflame::probe, "probe"));
  return exports;
}

NODE_API_MODULE(NODE_GYP_MODULE_NAME, initialize)
