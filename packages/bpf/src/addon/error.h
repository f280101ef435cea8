// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <string>

namespace fleetflame {

/// A failure with a sentence for people and a code for programs (see errors.ts).
class SamplerError : public std::runtime_error {
 public:
  SamplerError(const char* code, const std::string& message) : std::runtime_error(message), code_(code) {}
  const char* code() const { return code_; }

 private:
  const char* code_;
};

inline constexpr const char* ERROR_NOT_PERMITTED = "not_permitted";
inline constexpr const char* ERROR_UNSUPPORTED = "unsupported";
inline constexpr const char* ERROR_FAILED = "failed";

inline std::string errnoText(int error) { return std::strerror(error < 0 ? -error : error); }

}  // namespace fleetflame
