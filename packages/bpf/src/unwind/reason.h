// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

namespace fleetflame::unwind {

/// Why a binary got no table.
enum class Refusal : uint8_t {
  None,
  NotElf,
  Not64Bit,
  NotLittleEndian,
  OtherMachine,
  /// A relocatable object or a core file: nothing of it is mapped as code.
  NotLoadable,
  NoCode,
  /// Neither .eh_frame nor .debug_frame, or no function in them.
  NoFrames,
  /// The file cannot be read where its headers point, or changed meanwhile.
  Unreadable,
  /// More than 4 GiB between its first and last byte of code.
  CodeTooWide,
  TooManyFunctions,
  TooManyCies,
  TooManyRows,
  TooManyRules,
  TooManyBytes,
  Cancelled,
  Count,
};

/// Why a row cannot be followed (Rule::cfaKind CFA_UNSUPPORTED).
enum class Unsupported : uint8_t {
  /// The instructions end early, hold an unknown opcode or go backwards.
  Malformed,
  /// The CIE has an unknown version, augmentation, address size or return column.
  Cie,
  NoCfa,
  /// An expression that is neither the PLT's nor register + n nor *(register + n) + m.
  CfaExpression,
  /// The caller's stack pointer is not the CFA: setcontext and the like.
  StackPointer,
  /// Where the return address is cannot be said in a rule.
  ReturnAddress,
  /// A number does not fit its field.
  OffsetTooWide,
  Count,
};

constexpr size_t REFUSALS = static_cast<size_t>(Refusal::Count);
constexpr size_t UNSUPPORTED = static_cast<size_t>(Unsupported::Count);

/// A sentence for the log: "it is not an ELF file".
const char* describe(Refusal refusal);
/// A name for metrics and dumps: "cfa_expression".
const char* nameOf(Refusal refusal);
const char* nameOf(Unsupported reason);

}  // namespace fleetflame::unwind
