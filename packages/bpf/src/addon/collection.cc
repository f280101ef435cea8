// SPDX-License-Identifier: Apache-2.0
#include "collection.h"

#include <cstring>

#include "clock.h"

namespace fleetflame {
namespace {

constexpr double MS_PER_SECOND = 1000;

template <typename Array, typename T>
Napi::Value toTypedArray(Napi::Env env, const std::vector<T>& values) {
  Array array = Array::New(env, values.size());
  if (!values.empty()) std::memcpy(array.Data(), values.data(), values.size() * sizeof(T));
  return array;
}

const char* nameOf(ProcessEvent::Kind kind) {
  switch (kind) {
    case ProcessEvent::Kind::start:
      return "start";
    case ProcessEvent::Kind::exec:
      return "exec";
    case ProcessEvent::Kind::exit:
      return "exit";
  }
  return "";
}

Napi::Object toObject(Napi::Env env, const ProcessEvent& event) {
  Napi::Object object = Napi::Object::New(env);
  object["kind"] = nameOf(event.kind);
  object["pid"] = event.pid;
  object["parentPid"] = event.parentPid;
  object["comm"] = event.comm;
  object["executable"] = event.executable;
  object["existing"] = Napi::Boolean::New(env, event.existing);
  object["timeNs"] = static_cast<double>(event.timeNs);
  return object;
}

Napi::Object toObject(Napi::Env env, const BinaryEvent& event) {
  Napi::Object object = Napi::Object::New(env);
  object["id"] = event.id;
  object["path"] = event.path;
  object["buildId"] = event.buildId;
  object["pid"] = event.pid;
  object["start"] = Napi::BigInt::New(env, event.start);
  object["end"] = Napi::BigInt::New(env, event.end);
  object["fileOffset"] = Napi::BigInt::New(env, event.fileOffset);
  return object;
}

template <typename T>
Napi::Array toArray(Napi::Env env, const std::vector<T>& items) {
  Napi::Array array = Napi::Array::New(env, items.size());
  for (size_t i = 0; i < items.size(); i++) {
    // Each object has handles of its own; without a scope all of them would live until the end.
    const Napi::HandleScope scope(env);
    array[static_cast<uint32_t>(i)] = toObject(env, items[i]);
  }
  return array;
}

}  // namespace

Napi::Object toCollection(Napi::Env env, const Outgoing& outgoing) {
  const FoldTable& rows = outgoing.rows;
  Napi::Object object = Napi::Object::New(env);
  object["length"] = static_cast<double>(rows.count.size());
  object["pid"] = toTypedArray<Napi::Uint32Array>(env, rows.pid);
  object["comm"] = toTypedArray<Napi::Uint32Array>(env, rows.comm);
  Napi::Float64Array timeMs = Napi::Float64Array::New(env, rows.second.size());
  for (size_t i = 0; i < rows.second.size(); i++) {
    timeMs[i] = static_cast<double>(rows.second[i]) * MS_PER_SECOND;
  }
  object["timeMs"] = timeMs;
  object["count"] = toTypedArray<Napi::Uint32Array>(env, rows.count);
  object["flags"] = toTypedArray<Napi::Uint8Array>(env, rows.flags);
  object["end"] = toTypedArray<Napi::Uint8Array>(env, rows.end);
  object["stackStart"] = toTypedArray<Napi::Uint32Array>(env, rows.stackStart);
  object["frameAddress"] = toTypedArray<Napi::BigUint64Array>(env, rows.frameAddress);
  object["frameBinary"] = toTypedArray<Napi::Uint32Array>(env, rows.frameBinary);
  object["frameIsReturn"] = toTypedArray<Napi::Uint8Array>(env, rows.frameIsReturn);
  Napi::Array comms = Napi::Array::New(env, rows.comms.size());
  for (size_t i = 0; i < rows.comms.size(); i++) comms[static_cast<uint32_t>(i)] = rows.comms[i];
  object["comms"] = comms;
  object["processes"] = toArray(env, outgoing.processes);
  object["binaries"] = toArray(env, outgoing.binaries);
  return object;
}

}  // namespace fleetflame
