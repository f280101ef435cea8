// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <napi.h>

#include "foreign-files.h"

namespace fleetflame {

/// ForeignFiles for JavaScript; see foreign-files.ts.
class ForeignFilesObject : public Napi::ObjectWrap<ForeignFilesObject> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit ForeignFilesObject(const Napi::CallbackInfo& info);

 private:
  Napi::Value openMapped(const Napi::CallbackInfo& info);
  Napi::Value openPath(const Napi::CallbackInfo& info);
  Napi::Value list(const Napi::CallbackInfo& info);
  Napi::Value read(const Napi::CallbackInfo& info);
  Napi::Value close(const Napi::CallbackInfo& info);
  Napi::Value readProc(const Napi::CallbackInfo& info);
  Napi::Value has(const Napi::CallbackInfo& info);
  Napi::Value number(const Napi::CallbackInfo& info);
  Napi::Value dispose(const Napi::CallbackInfo& info);

  std::shared_ptr<ForeignFiles> files_;
  uint32_t number_ = 0;
};

/// Counters of the whole process.
Napi::Value foreignFileStats(const Napi::CallbackInfo& info);

}  // namespace fleetflame
