// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>

#include "byte-cursor.h"
#include "frame-state.h"
#include "pointer-encoding.h"

namespace fleetflame::unwind {

/// What the instructions of a function need to know of its CIE.
struct CfiContext {
  uint64_t codeFactor = 1;
  int64_t dataFactor = 1;
  /// Of DW_CFA_set_loc's address.
  uint8_t pointerEncoding = POINTER_ABSOLUTE;
  uint64_t dataBase = 0;
};

/// Runs the call frame instructions of one CIE or FDE (DWARF 5, section 6.4.2, and the GNU ones).
///
///   CfiProgram program(...);
///   do { ended = program.step(); [program.rowStart(), program.rowEnd()) has program.row() } while ...
///
/// States come in order of address, each with the range for which it holds.
class CfiProgram {
 public:
  /// Compilers nest two deep at most.
  static constexpr size_t MAX_REMEMBERED = 16;

  enum Step {
    /// row() holds from rowStart() to rowEnd().
    Row,
    /// The instructions are over: row() holds from rowStart() to the end of the function.
    End,
    /// The instructions make no sense from rowStart() on.
    Malformed,
  };

  /// `instructionsAddress` is where the first instruction would be in memory; `initial` is the state
  /// that the CIE's instructions leave (what DW_CFA_restore goes back to).
  CfiProgram(ByteCursor instructions, uint64_t instructionsAddress, const CfiContext& context, uint64_t start, const FrameState& initial)
      : cursor_(instructions), address_(instructionsAddress), context_(context), initial_(initial), state_(initial), next_(start) {}

  /// Runs to the next advance of the location, or to the end.
  Step step();

  uint64_t rowStart() const { return start_; }
  uint64_t rowEnd() const { return next_; }
  const FrameState& row() const { return state_; }

 private:
  bool execute(uint8_t opcode);
  bool extended(uint8_t opcode);
  bool advance(uint64_t units);
  bool setLocation();
  bool defineCfa(uint64_t reg, int64_t offset);
  bool expressionOf(const uint8_t*& bytes, size_t& length);
  bool set(uint64_t reg, const RegisterRule& rule);
  bool restore(uint64_t reg);
  int64_t factored(uint64_t units) const {
    return static_cast<int64_t>(units * static_cast<uint64_t>(context_.dataFactor));
  }
  int64_t factored(int64_t units) const { return factored(static_cast<uint64_t>(units)); }

  ByteCursor cursor_;
  uint64_t address_;
  const CfiContext& context_;
  const FrameState& initial_;
  FrameState state_;
  uint64_t start_ = 0;
  uint64_t next_;
  size_t remembered_ = 0;
  std::array<FrameState, MAX_REMEMBERED> stack_;
};

}  // namespace fleetflame::unwind
