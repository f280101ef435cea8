// SPDX-License-Identifier: Apache-2.0
#include "sampler-object.h"

#include "collection.h"
#include "error.h"

namespace fleetflame {
namespace {

Napi::Error toError(Napi::Env env, const SamplerError& error) {
  Napi::Error out = Napi::Error::New(env, error.what());
  out.Set("code", error.code());
  return out;
}

}  // namespace

Napi::Function SamplerObject::define(Napi::Env env) {
  return DefineClass(env, "Sampler",
                     {
                         InstanceMethod("collect", &SamplerObject::collect),
                         InstanceMethod("stats", &SamplerObject::stats),
                         InstanceMethod("close", &SamplerObject::close),
                     });
}

SamplerObject::SamplerObject(const Napi::CallbackInfo& info) : Napi::ObjectWrap<SamplerObject>(info) {
  // Types and ranges are checked in sampler.ts.
  const Napi::Object options = info[0].As<Napi::Object>();
  const auto number = [&](const char* name) { return options.Get(name).ToNumber().Uint32Value(); };
  const BpfOptions bpf{number("frequencyHz"), options.Get("bpfLoop").ToBoolean().Value(), number("ringBytes")};
  try {
    sampler_ = std::make_unique<Sampler>(SamplerOptions{bpf, number("maxRows")});
  } catch (const SamplerError& error) {
    throw toError(info.Env(), error);
  }
}

Napi::Value SamplerObject::collect(const Napi::CallbackInfo& info) {
  try {
    return toCollection(info.Env(), sampler_->take());
  } catch (const SamplerError& error) {
    throw toError(info.Env(), error);
  }
}

Napi::Value SamplerObject::stats(const Napi::CallbackInfo& info) {
  const SamplerStats stats = sampler_->stats();
  Napi::Object object = Napi::Object::New(info.Env());
  const auto set = [&](const char* name, uint64_t value) { object.Set(name, static_cast<double>(value)); };
  set("interrupts", stats.interrupts);
  set("idle", stats.idle);
  set("samples", stats.samples);
  set("lostRingFull", stats.lostRingFull);
  set("lostTableFull", stats.lostTableFull);
  set("stackReadFailed", stats.stackReadFailed);
  set("stackTruncated", stats.stackTruncated);
  set("stackChainBroken", stats.stackChainBroken);
  set("stackNoProcess", stats.stackNoProcess);
  set("lostProcessRecords", stats.lostProcessRecords);
  set("lostProcessEvents", stats.lostProcessEvents);
  set("refusedProcesses", stats.refusedProcesses);
  set("refusedMappings", stats.refusedMappings);
  set("refusedBinaries", stats.refusedBinaries);
  set("mapsReads", stats.mapsReads);
  set("cpus", stats.cpus);
  set("processes", stats.processes);
  set("mappings", stats.mappings);
  set("binaries", stats.binaries);
  set("memoryBytes", stats.memoryBytes);
  set("bpfRunTimeNs", stats.bpfRunTimeNs);
  set("bpfRunCount", stats.bpfRunCount);
  set("drainCpuNs", stats.drainCpuNs);
  set("drains", stats.drains);
  return object;
}

Napi::Value SamplerObject::close(const Napi::CallbackInfo& info) {
  sampler_->close();
  return info.Env().Undefined();
}

}  // namespace fleetflame
