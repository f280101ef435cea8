// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "registers.h"

namespace fleetflame::unwind {

/// How a value is found, as far as any rule of ours can say it. Whatever an expression computes is
/// brought into this form or is Unknown.
struct CfaRule {
  enum Kind : uint8_t {
    /// Not said.
    None,
    /// reg + offset
    Register,
    /// *(reg + offset) + add
    Deref,
    /// *(reg + 8 * index + offset) + add
    DerefIndexed,
    /// rsp + offset + ((ip & 15) >= add ? 8 : 0)
    Plt,
    /// An expression of another form.
    Unknown,
  };

  Kind kind = None;
  uint8_t reg = 0;
  int64_t offset = 0;
  int64_t add = 0;
  uint8_t index = 0;
};

/// How the caller's value of a register is found.
struct RegisterRule {
  enum Kind : uint8_t {
    /// Not said: what the ABI says, which is "same" for callee-saved registers.
    Unspecified,
    Undefined,
    Same,
    /// *(CFA + offset)
    AtCfa,
    /// *(reg + offset)
    AtRegister,
    /// CFA + offset
    IsCfa,
    /// reg + offset
    IsRegister,
    /// An expression of another form.
    Unknown,
  };

  Kind kind = Unspecified;
  uint8_t reg = 0;
  int64_t offset = 0;
};

/// The row that is being built while instructions run.
struct FrameState {
  CfaRule cfa;
  /// DW_CFA_def_cfa_register and _offset change one part of the last register + offset, also when an
  /// expression came between: these keep the parts.
  uint8_t cfaRegister = 0;
  int64_t cfaOffset = 0;
  std::array<RegisterRule, TRACKED_REGISTERS> registers{};
};

}  // namespace fleetflame::unwind
