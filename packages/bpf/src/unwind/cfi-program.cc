// SPDX-License-Identifier: Apache-2.0
#include "cfi-program.h"

#include "expression.h"

namespace fleetflame::unwind {
namespace {

/// The two high bits choose; the six low ones are an operand.
constexpr uint8_t PRIMARY = 0xc0;
constexpr uint8_t OPERAND = 0x3f;

enum Opcode : uint8_t {
  CFA_ADVANCE_LOC = 0x40,
  CFA_OFFSET = 0x80,
  CFA_RESTORE = 0xc0,

  CFA_NOP = 0x00,
  CFA_SET_LOC = 0x01,
  CFA_ADVANCE_LOC1 = 0x02,
  CFA_ADVANCE_LOC2 = 0x03,
  CFA_ADVANCE_LOC4 = 0x04,
  CFA_OFFSET_EXTENDED = 0x05,
  CFA_RESTORE_EXTENDED = 0x06,
  CFA_UNDEFINED = 0x07,
  CFA_SAME_VALUE = 0x08,
  CFA_REGISTER = 0x09,
  CFA_REMEMBER_STATE = 0x0a,
  CFA_RESTORE_STATE = 0x0b,
  CFA_DEF_CFA = 0x0c,
  CFA_DEF_CFA_REGISTER = 0x0d,
  CFA_DEF_CFA_OFFSET = 0x0e,
  CFA_DEF_CFA_EXPRESSION = 0x0f,
  CFA_EXPRESSION = 0x10,
  CFA_OFFSET_EXTENDED_SF = 0x11,
  CFA_DEF_CFA_SF = 0x12,
  CFA_DEF_CFA_OFFSET_SF = 0x13,
  CFA_VAL_OFFSET = 0x14,
  CFA_VAL_OFFSET_SF = 0x15,
  CFA_VAL_EXPRESSION = 0x16,
  CFA_MIPS_ADVANCE_LOC8 = 0x1d,
  CFA_GNU_ARGS_SIZE = 0x2e,
  CFA_GNU_NEGATIVE_OFFSET_EXTENDED = 0x2f,
};

}  // namespace

CfiProgram::Step CfiProgram::step() {
  start_ = next_;
  while (!cursor_.atEnd()) {
    if (!execute(cursor_.u8()) || !cursor_.ok()) return Malformed;
    // An advance of nothing continues the row.
    if (next_ != start_) return Row;
  }
  return cursor_.ok() ? End : Malformed;
}

bool CfiProgram::execute(uint8_t opcode) {
  switch (opcode & PRIMARY) {
    case CFA_ADVANCE_LOC:
      return advance(opcode & OPERAND);
    case CFA_OFFSET:
      return set(opcode & OPERAND, {RegisterRule::AtCfa, 0, factored(cursor_.uleb())});
    case CFA_RESTORE:
      return restore(opcode & OPERAND);
    default:
      return extended(opcode);
  }
}

bool CfiProgram::extended(uint8_t opcode) {
  const uint8_t* bytes = nullptr;
  size_t length = 0;
  switch (opcode) {
    case CFA_NOP:
      return true;
    case CFA_SET_LOC:
      return setLocation();
    case CFA_ADVANCE_LOC1:
      return advance(cursor_.u8());
    case CFA_ADVANCE_LOC2:
      return advance(cursor_.u16());
    case CFA_ADVANCE_LOC4:
      return advance(cursor_.u32());
    case CFA_MIPS_ADVANCE_LOC8:
      return advance(cursor_.u64());
    case CFA_OFFSET_EXTENDED: {
      const uint64_t reg = cursor_.uleb();
      return set(reg, {RegisterRule::AtCfa, 0, factored(cursor_.uleb())});
    }
    case CFA_OFFSET_EXTENDED_SF: {
      const uint64_t reg = cursor_.uleb();
      return set(reg, {RegisterRule::AtCfa, 0, factored(cursor_.sleb())});
    }
    case CFA_GNU_NEGATIVE_OFFSET_EXTENDED: {
      const uint64_t reg = cursor_.uleb();
      return set(reg, {RegisterRule::AtCfa, 0, factored(uint64_t{0} - cursor_.uleb())});
    }
    case CFA_VAL_OFFSET: {
      const uint64_t reg = cursor_.uleb();
      return set(reg, {RegisterRule::IsCfa, 0, factored(cursor_.uleb())});
    }
    case CFA_VAL_OFFSET_SF: {
      const uint64_t reg = cursor_.uleb();
      return set(reg, {RegisterRule::IsCfa, 0, factored(cursor_.sleb())});
    }
    case CFA_RESTORE_EXTENDED:
      return restore(cursor_.uleb());
    case CFA_UNDEFINED:
      return set(cursor_.uleb(), {RegisterRule::Undefined, 0, 0});
    case CFA_SAME_VALUE:
      return set(cursor_.uleb(), {RegisterRule::Same, 0, 0});
    case CFA_REGISTER: {
      const uint64_t reg = cursor_.uleb();
      const uint64_t other = cursor_.uleb();
      if (other >= GENERAL_REGISTERS) return set(reg, {RegisterRule::Unknown, 0, 0});
      return set(reg, {RegisterRule::IsRegister, static_cast<uint8_t>(other), 0});
    }
    case CFA_REMEMBER_STATE:
      if (remembered_ == MAX_REMEMBERED) return false;
      stack_[remembered_++] = state_;
      return true;
    case CFA_RESTORE_STATE:
      if (remembered_ == 0) return false;
      state_ = stack_[--remembered_];
      return true;
    case CFA_DEF_CFA: {
      const uint64_t reg = cursor_.uleb();
      return defineCfa(reg, static_cast<int64_t>(cursor_.uleb()));
    }
    case CFA_DEF_CFA_SF: {
      const uint64_t reg = cursor_.uleb();
      return defineCfa(reg, factored(cursor_.sleb()));
    }
    case CFA_DEF_CFA_REGISTER:
      return defineCfa(cursor_.uleb(), state_.cfaOffset);
    case CFA_DEF_CFA_OFFSET:
      return defineCfa(state_.cfaRegister, static_cast<int64_t>(cursor_.uleb()));
    case CFA_DEF_CFA_OFFSET_SF:
      return defineCfa(state_.cfaRegister, factored(cursor_.sleb()));
    case CFA_DEF_CFA_EXPRESSION:
      if (!expressionOf(bytes, length)) return false;
      state_.cfa = cfaFromExpression(bytes, length);
      return true;
    case CFA_EXPRESSION: {
      const uint64_t reg = cursor_.uleb();
      return expressionOf(bytes, length) && set(reg, savedAtExpression(bytes, length));
    }
    case CFA_VAL_EXPRESSION: {
      const uint64_t reg = cursor_.uleb();
      return expressionOf(bytes, length) && set(reg, valueOfExpression(bytes, length));
    }
    case CFA_GNU_ARGS_SIZE:
      cursor_.uleb();
      return true;
    default:
      return false;
  }
}

bool CfiProgram::advance(uint64_t units) {
  if (context_.codeFactor != 0 && units > (UINT64_MAX - next_) / context_.codeFactor) return false;
  next_ += units * context_.codeFactor;
  return true;
}

bool CfiProgram::setLocation() {
  uint64_t location = 0;
  const PointerBase base{address_ + cursor_.position(), context_.dataBase};
  if (!readPointer(cursor_, context_.pointerEncoding, base, location) || location < next_) return false;
  next_ = location;
  return true;
}

bool CfiProgram::defineCfa(uint64_t reg, int64_t offset) {
  state_.cfaOffset = offset;
  if (reg >= GENERAL_REGISTERS) {
    state_.cfa = {CfaRule::Unknown};
    return true;
  }
  state_.cfaRegister = static_cast<uint8_t>(reg);
  state_.cfa = {CfaRule::Register, state_.cfaRegister, offset};
  return true;
}

bool CfiProgram::expressionOf(const uint8_t*& bytes, size_t& length) {
  const uint64_t size = cursor_.uleb();
  bytes = cursor_.take(size);
  length = static_cast<size_t>(size);
  return cursor_.ok();
}

bool CfiProgram::set(uint64_t reg, const RegisterRule& rule) {
  const size_t index = trackedIndex(reg);
  if (index != NOT_TRACKED) state_.registers[index] = rule;
  return true;
}

bool CfiProgram::restore(uint64_t reg) {
  const size_t index = trackedIndex(reg);
  if (index != NOT_TRACKED) state_.registers[index] = initial_.registers[index];
  return true;
}

}  // namespace fleetflame::unwind
