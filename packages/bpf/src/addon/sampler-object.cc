// SPDX-License-Identifier: Apache-2.0
#include "sampler-object.h"

#include <map>

#include "collection.h"
#include "error.h"

namespace fleetflame {
namespace {

/// Runs what may fail; whatever C++ throws becomes an error of JavaScript, or it would end the process.
template <typename Action>
auto guarded(Napi::Env env, Action action) {
  const auto toError = [&](const char* code, const char* message) {
    Napi::Error error = Napi::Error::New(env, message);
    error.Set("code", code);
    return error;
  };
  try {
    return action();
  } catch (const Napi::Error&) {
    throw;
  } catch (const SamplerError& error) {
    throw toError(error.code(), error.what());
  } catch (const std::exception& error) {
    throw toError(ERROR_FAILED, error.what());
  }
}

/// Checked in filter-rule.ts.
std::vector<FilterRule> filterOf(const Napi::Value& value) {
  static const std::map<std::string, FilterRule::Kind> KINDS{{"exe", FilterRule::Kind::exe},
                                                             {"comm", FilterRule::Kind::comm},
                                                             {"cgroup", FilterRule::Kind::cgroup},
                                                             {"pid", FilterRule::Kind::pid}};
  const Napi::Array array = value.As<Napi::Array>();
  std::vector<FilterRule> rules;
  for (uint32_t i = 0; i < array.Length(); i++) {
    const Napi::Object rule = array.Get(i).As<Napi::Object>();
    rules.push_back({rule.Get("action").ToString().Utf8Value() == "only",
                     KINDS.at(rule.Get("kind").ToString().Utf8Value()), rule.Get("pattern").ToString().Utf8Value()});
  }
  return rules;
}

}  // namespace

Napi::Function SamplerObject::define(Napi::Env env) {
  return DefineClass(env, "Sampler",
                     {
                         InstanceMethod("collect", &SamplerObject::collect),
                         InstanceMethod("stats", &SamplerObject::stats),
                         InstanceMethod("setFilter", &SamplerObject::setFilter),
                         InstanceMethod("memory", &SamplerObject::memory),
                         InstanceMethod("refusedTables", &SamplerObject::refusedTables),
                         InstanceMethod("close", &SamplerObject::close),
                     });
}

SamplerObject::SamplerObject(const Napi::CallbackInfo& info) : Napi::ObjectWrap<SamplerObject>(info) {
  // Types and ranges are checked in sampler.ts.
  const Napi::Object options = info[0].As<Napi::Object>();
  const auto number = [&](const char* name) { return options.Get(name).ToNumber().Uint32Value(); };
  const BpfOptions bpf{number("frequencyHz"), options.Get("bpfLoop").ToBoolean().Value(), number("ringBytes"),
                       number("maxProcesses"), number("maxMappings")};
  const uint64_t tableBytes = number("tableBytes");
  const std::string tableCache = options.Get("tableCache").ToString().Utf8Value();
  const uint32_t maxRows = number("maxRows");
  guarded(info.Env(), [&] {
    sampler_ = std::make_unique<Sampler>(
        SamplerOptions{bpf, tableBytes, tableCache, maxRows, filterOf(options.Get("filter"))});
  });
}

Napi::Value SamplerObject::collect(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value { return toCollection(info.Env(), sampler_->take()); });
}

Napi::Value SamplerObject::stats(const Napi::CallbackInfo& info) {
  const SamplerStats stats = guarded(info.Env(), [&] { return sampler_->stats(); });
  Napi::Object object = Napi::Object::New(info.Env());
  const auto set = [&](const char* name, uint64_t value) { object.Set(name, static_cast<double>(value)); };
  set("interrupts", stats.interrupts);
  set("idle", stats.idle);
  set("outside", stats.outside);
  set("excluded", stats.excluded);
  set("samples", stats.samples);
  set("lostRingFull", stats.lostRingFull);
  set("lostTableFull", stats.lostTableFull);
  set("stackReadFailed", stats.stackReadFailed);
  set("stackTruncated", stats.stackTruncated);
  set("stackKernelTruncated", stats.stackKernelTruncated);
  set("stackChainBroken", stats.stackChainBroken);
  set("stackNoProcess", stats.stackNoProcess);
  Napi::Array ends = Napi::Array::New(info.Env(), stats.stackEnds.size());
  for (size_t i = 0; i < stats.stackEnds.size(); i++) ends[static_cast<uint32_t>(i)] = static_cast<double>(stats.stackEnds[i]);
  object["stackEnds"] = ends;
  set("stackFramePointers", stats.stackFramePointers);
  set("stackTablesPending", stats.stackTablesPending);
  const TableStats& tables = stats.unwinding.tables;
  set("excludedProcesses", stats.filter.processes);
  set("excludedCgroups", stats.filter.cgroups);
  set("refusedExclusions", stats.filter.refused);
  set("unwindProcesses", stats.unwinding.processes);
  set("unwindMappings", stats.unwinding.mappings);
  set("refusedUnwindProcesses", stats.unwinding.refused);
  set("tables", tables.tables);
  set("tableBytes", tables.tableBytes);
  set("tableRows", tables.tableRows);
  set("tablesWaiting", tables.waiting);
  set("tablesBuilt", tables.built);
  set("tablesFromCache", tables.fromCache);
  set("tablesFreed", tables.freed);
  set("refusedTablesBudget", tables.refusedBytes);
  set("refusedTablesLimit", tables.refusedTables);
  set("refusedTablesQueue", tables.refusedQueue);
  set("tablesWithoutFrames", tables.withoutFrames);
  set("tablesUnreadable", tables.unreadable);
  set("tableCpuNs", tables.buildCpuNs);
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
  set("bpfRunTimeNs", stats.bpfRunTimeNs);
  set("bpfRunCount", stats.bpfRunCount);
  set("drainCpuNs", stats.drainCpuNs);
  set("drains", stats.drains);
  return object;
}

Napi::Value SamplerObject::setFilter(const Napi::CallbackInfo& info) {
  guarded(info.Env(), [&] { sampler_->setFilter(filterOf(info[0])); });
  return info.Env().Undefined();
}

Napi::Value SamplerObject::memory(const Napi::CallbackInfo& info) {
  const std::vector<MapMemory> parts = guarded(info.Env(), [&] { return sampler_->memory(); });
  Napi::Object object = Napi::Object::New(info.Env());
  for (const MapMemory& part : parts) object.Set(part.name, static_cast<double>(part.bytes));
  return object;
}

Napi::Value SamplerObject::refusedTables(const Napi::CallbackInfo& info) {
  const std::vector<RefusedTable> tables = guarded(info.Env(), [&] { return sampler_->refusedTables(); });
  Napi::Array array = Napi::Array::New(info.Env(), tables.size());
  for (size_t i = 0; i < tables.size(); i++) {
    Napi::Object object = Napi::Object::New(info.Env());
    object["binary"] = tables[i].binary;
    object["rows"] = static_cast<double>(tables[i].rows);
    object["bytes"] = static_cast<double>(tables[i].bytes);
    object["reason"] = tables[i].reason;
    array[static_cast<uint32_t>(i)] = object;
  }
  return array;
}

Napi::Value SamplerObject::close(const Napi::CallbackInfo& info) {
  sampler_->close();
  return info.Env().Undefined();
}

}  // namespace fleetflame
