// SPDX-License-Identifier: Apache-2.0
#include "foreign-files-object.h"

#include <cerrno>
#include <map>

namespace fleetflame {
namespace {

using namespace foreign;

/// ForeignProblem of foreign-files.ts.
const char* problemOf(int error) {
  switch (error) {
    case ENOENT:
    case ESRCH:
      return "absent";
    case EACCES:
    case EPERM:
      return "forbidden";
    case ELOOP:
    case ENOTDIR:
    case EXDEV:
      return "link";
    case NOT_REGULAR:
      return "not_regular";
    case ForeignFiles::HUNG:
    case SILENT_DEVICE:
      return "hung";
    default:
      return "failed";
  }
}

uint32_t pidOf(const Napi::Value& value) { return value.As<Napi::Number>().Uint32Value(); }
std::string textOf(const Napi::Value& value) { return value.As<Napi::String>().Utf8Value(); }
uint64_t numberOf(const Napi::Value& value) { return static_cast<uint64_t>(value.As<Napi::Number>().Int64Value()); }

/// By number: another thread's object works with the same helper.
std::mutex sharedMutex;
std::map<uint32_t, std::weak_ptr<ForeignFiles>> shared;
uint32_t lastNumber = 0;

Napi::Value describe(Napi::Env env, int error, const ForeignFile& file) {
  if (error != 0) return Napi::String::New(env, problemOf(error));
  Napi::Object object = Napi::Object::New(env);
  object["handle"] = static_cast<double>(file.handle);
  object["size"] = static_cast<double>(file.size);
  object["inode"] = static_cast<double>(file.inode);
  object["uid"] = file.uid;
  return object;
}

}  // namespace

Napi::Function ForeignFilesObject::define(Napi::Env env) {
  return DefineClass(env, "ForeignFiles",
                     {
                         InstanceMethod<&ForeignFilesObject::openMapped>("openMapped"),
                         InstanceMethod<&ForeignFilesObject::openPath>("openPath"),
                         InstanceMethod<&ForeignFilesObject::list>("list"),
                         InstanceMethod<&ForeignFilesObject::read>("read"),
                         InstanceMethod<&ForeignFilesObject::close>("close"),
                         InstanceMethod<&ForeignFilesObject::readProc>("readProc"),
                         InstanceMethod<&ForeignFilesObject::has>("has"),
                         InstanceMethod<&ForeignFilesObject::number>("number"),
                         InstanceMethod<&ForeignFilesObject::dispose>("dispose"),
                     });
}

ForeignFilesObject::ForeignFilesObject(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<ForeignFilesObject>(info) {
  const std::lock_guard lock(sharedMutex);
  if (info[0].IsNumber()) {
    number_ = pidOf(info[0]);
    const auto at = shared.find(number_);
    files_ = at == shared.end() ? nullptr : at->second.lock();
    // Its owner has ended: a new one opens nothing that the old one had.
    if (!files_) files_ = std::make_shared<ForeignFiles>();
    return;
  }
  std::erase_if(shared, [](const auto& entry) { return entry.second.expired(); });
  files_ = std::make_shared<ForeignFiles>(textOf(info[0]));
  number_ = ++lastNumber;
  shared.emplace(number_, files_);
}

Napi::Value ForeignFilesObject::openMapped(const Napi::CallbackInfo& info) {
  ForeignFile file;
  const int error = files_->openMapped(pidOf(info[0]), textOf(info[1]), file);
  return describe(info.Env(), error, file);
}

Napi::Value ForeignFilesObject::openPath(const Napi::CallbackInfo& info) {
  ForeignFile file;
  const auto base = static_cast<Base>(pidOf(info[1]));
  const int error = files_->openPath(pidOf(info[0]), base, textOf(info[2]), pidOf(info[3]), file);
  return describe(info.Env(), error, file);
}

Napi::Value ForeignFilesObject::list(const Napi::CallbackInfo& info) {
  std::string names;
  const auto base = static_cast<Base>(pidOf(info[1]));
  const int error = files_->list(pidOf(info[0]), base, textOf(info[2]), pidOf(info[3]), names);
  return Napi::String::New(info.Env(), error != 0 ? problemOf(error) : '/' + names);
}

Napi::Value ForeignFilesObject::read(const Napi::CallbackInfo& info) {
  auto out = info[1].As<Napi::Uint8Array>();
  int error = 0;
  const size_t done = files_->read(numberOf(info[0]), numberOf(info[2]), out.Data(), out.ByteLength(), error);
  if (error != 0) return Napi::String::New(info.Env(), problemOf(error));
  return Napi::Number::New(info.Env(), static_cast<double>(done));
}

Napi::Value ForeignFilesObject::close(const Napi::CallbackInfo& info) {
  files_->close(numberOf(info[0]));
  return info.Env().Undefined();
}

Napi::Value ForeignFilesObject::readProc(const Napi::CallbackInfo& info) {
  std::string text;
  const int error = files_->readProc(pidOf(info[0]), textOf(info[1]), numberOf(info[2]), text);
  if (error != 0) return Napi::String::New(info.Env(), problemOf(error));
  return Napi::Buffer<char>::Copy(info.Env(), text.data(), text.size());
}

Napi::Value ForeignFilesObject::has(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), files_->has(numberOf(info[0])));
}

Napi::Value ForeignFilesObject::number(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), number_);
}

Napi::Value ForeignFilesObject::dispose(const Napi::CallbackInfo& info) {
  files_->dispose();
  return info.Env().Undefined();
}

Napi::Value foreignFileStats(const Napi::CallbackInfo& info) {
  const ForeignFileStats stats = ForeignFiles::stats();
  Napi::Object object = Napi::Object::New(info.Env());
  object["hangs"] = static_cast<double>(stats.hangs);
  object["refused"] = static_cast<double>(stats.refused);
  object["hungHelpers"] = static_cast<double>(stats.hungHelpers);
  object["startedHelpers"] = static_cast<double>(stats.startedHelpers);
  object["notRegular"] = static_cast<double>(stats.notRegular);
  return object;
}

}  // namespace fleetflame
