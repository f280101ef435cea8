// SPDX-License-Identifier: Apache-2.0
#include "registers.h"

namespace fleetflame::unwind {

const char* registerName(uint8_t reg) {
  static constexpr const char* NAMES[] = {"rax", "rdx", "rcx", "rbx", "rsi", "rdi", "rbp", "rsp", "r8",
                                          "r9",  "r10", "r11", "r12", "r13", "r14", "r15", "rip"};
  return reg < sizeof NAMES / sizeof *NAMES ? NAMES[reg] : "?";
}

}  // namespace fleetflame::unwind
