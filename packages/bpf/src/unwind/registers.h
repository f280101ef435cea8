// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

namespace fleetflame::unwind {

/// The registers of x86-64 by their DWARF numbers (System V ABI, figure 3.36).
///
/// Another processor has to bring: this header, rule.h and rule-from-state.cc (on arm64 the return
/// address is in x30 until it is saved, the frame pointer is x29, and there is no PLT expression), the
/// bytes of its signal return in build.cc, DW_CFA_AARCH64_negate_ra_state and the augmentation 'B' in
/// cfi-program.cc and frame-section.cc.
constexpr uint16_t ELF_MACHINE = 62;
constexpr uint8_t RBX = 3;
constexpr uint8_t RBP = 6;
constexpr uint8_t RSP = 7;
constexpr uint8_t RETURN_ADDRESS = 16;
/// rax .. r15: those a rule can name.
constexpr uint8_t GENERAL_REGISTERS = 16;

/// Rules are kept for these only. rbx is one of them because the dynamic linker's resolver finds its
/// frame by it (_dl_runtime_resolve: CFA = rbx + n), and it makes calls.
enum Tracked : uint8_t { TRACKED_RBX, TRACKED_RBP, TRACKED_RSP, TRACKED_RETURN_ADDRESS };
constexpr size_t TRACKED_REGISTERS = 4;
constexpr size_t NOT_TRACKED = TRACKED_REGISTERS;

/// Its place in a FrameState.
constexpr size_t trackedIndex(uint64_t reg) {
  switch (reg) {
    case RBX:
      return TRACKED_RBX;
    case RBP:
      return TRACKED_RBP;
    case RSP:
      return TRACKED_RSP;
    case RETURN_ADDRESS:
      return TRACKED_RETURN_ADDRESS;
    default:
      return NOT_TRACKED;
  }
}

/// "rsp"; "r99" is never asked for.
const char* registerName(uint8_t reg);

}  // namespace fleetflame::unwind
