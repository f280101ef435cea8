// SPDX-License-Identifier: Apache-2.0
#include "expression.h"

#include <cstring>

#include "byte-cursor.h"

namespace fleetflame::unwind {
namespace {

/// Real ones need three.
constexpr size_t MAX_STACK = 16;
/// Stands for the CFA where a register number is expected.
constexpr uint8_t CFA_SYMBOL = 0xff;

enum Opcode : uint8_t {
  OP_DEREF = 0x06,
  OP_CONST1U = 0x08,
  OP_CONST1S = 0x09,
  OP_CONST2U = 0x0a,
  OP_CONST2S = 0x0b,
  OP_CONST4U = 0x0c,
  OP_CONST4S = 0x0d,
  OP_CONST8U = 0x0e,
  OP_CONST8S = 0x0f,
  OP_CONSTU = 0x10,
  OP_CONSTS = 0x11,
  OP_MINUS = 0x1c,
  OP_MUL = 0x1e,
  OP_PLUS = 0x22,
  OP_PLUS_UCONST = 0x23,
  OP_LIT0 = 0x30,
  OP_LIT31 = 0x4f,
  OP_BREG0 = 0x70,
  OP_BREG31 = 0x8f,
  OP_BREGX = 0x92,
  OP_NOP = 0x96,
};

/// Scaled registers are indices of eight-byte words.
constexpr int64_t SCALE = 8;
constexpr uint8_t NO_INDEX = 0xfe;

/// number: offset. place: reg + offset. scaled: 8 * index. loaded: *(reg + 8 * index + offset) + add.
struct Symbol {
  enum Kind : uint8_t { Number, Place, Scaled, Loaded, Unknown };
  Kind kind = Unknown;
  uint8_t reg = 0;
  int64_t offset = 0;
  int64_t add = 0;
  uint8_t index = NO_INDEX;
};

int64_t wrappingAdd(int64_t a, int64_t b) { return static_cast<int64_t>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b)); }
int64_t negated(int64_t value) { return static_cast<int64_t>(0 - static_cast<uint64_t>(value)); }

Symbol plus(Symbol symbol, int64_t number) {
  int64_t& last = symbol.kind == Symbol::Loaded ? symbol.add : symbol.offset;
  last = wrappingAdd(last, number);
  return symbol;
}

Symbol sum(const Symbol& a, const Symbol& b) {
  if (b.kind == Symbol::Number) return plus(a, b.offset);
  if (a.kind == Symbol::Number) return plus(b, a.offset);
  const Symbol& place = a.kind == Symbol::Place ? a : b;
  const Symbol& scaled = a.kind == Symbol::Place ? b : a;
  if (place.kind != Symbol::Place || scaled.kind != Symbol::Scaled || place.index != NO_INDEX) return {};
  return {Symbol::Place, place.reg, wrappingAdd(place.offset, scaled.offset), 0, scaled.index};
}

/// Assembly that keeps its caller's stack pointer behind an array on the stack: *(rsp + 8 * r9 + 8).
Symbol product(const Symbol& a, const Symbol& b) {
  const Symbol& factor = a.kind == Symbol::Number ? a : b;
  const Symbol& reg = a.kind == Symbol::Number ? b : a;
  if (factor.kind != Symbol::Number || factor.offset != SCALE || reg.kind != Symbol::Place) return {};
  if (reg.offset != 0 || reg.index != NO_INDEX || reg.reg >= GENERAL_REGISTERS) return {};
  return {Symbol::Scaled, 0, 0, 0, reg.reg};
}

Symbol deref(const Symbol& place) {
  if (place.kind != Symbol::Place) return {};
  return {Symbol::Loaded, place.reg, place.offset, 0, place.index};
}

Symbol place(uint64_t reg, int64_t offset) {
  if (reg >= GENERAL_REGISTERS) return {};
  return {Symbol::Place, static_cast<uint8_t>(reg), offset, 0};
}

Symbol number(int64_t value) { return {Symbol::Number, 0, value, 0}; }

class Stack {
 public:
  bool push(const Symbol& symbol) {
    if (size_ == MAX_STACK) return false;
    symbols_[size_++] = symbol;
    return true;
  }
  bool pop(Symbol& out) {
    if (size_ == 0) return false;
    out = symbols_[--size_];
    return true;
  }

 private:
  Symbol symbols_[MAX_STACK];
  size_t size_ = 0;
};

/// False for an opcode that is not among those above.
bool pushed(ByteCursor& cursor, uint8_t opcode, Symbol& out) {
  if (opcode >= OP_LIT0 && opcode <= OP_LIT31) {
    out = number(opcode - OP_LIT0);
    return true;
  }
  if (opcode >= OP_BREG0 && opcode <= OP_BREG31) {
    out = place(opcode - OP_BREG0, cursor.sleb());
    return true;
  }
  switch (opcode) {
    case OP_CONST1U:
      out = number(cursor.u8());
      return true;
    case OP_CONST1S:
      out = number(cursor.number<int8_t>());
      return true;
    case OP_CONST2U:
      out = number(cursor.u16());
      return true;
    case OP_CONST2S:
      out = number(cursor.number<int16_t>());
      return true;
    case OP_CONST4U:
      out = number(cursor.u32());
      return true;
    case OP_CONST4S:
      out = number(cursor.number<int32_t>());
      return true;
    case OP_CONST8U:
    case OP_CONST8S:
      out = number(cursor.number<int64_t>());
      return true;
    case OP_CONSTU:
      out = number(static_cast<int64_t>(cursor.uleb()));
      return true;
    case OP_CONSTS:
      out = number(cursor.sleb());
      return true;
    case OP_BREGX: {
      const uint64_t reg = cursor.uleb();
      out = place(reg, cursor.sleb());
      return true;
    }
    default:
      return false;
  }
}

bool step(ByteCursor& cursor, Stack& stack) {
  const uint8_t opcode = cursor.u8();
  Symbol a;
  Symbol b;
  if (pushed(cursor, opcode, a)) return cursor.ok() && stack.push(a);
  switch (opcode) {
    case OP_NOP:
      return true;
    case OP_DEREF:
      return stack.pop(a) && stack.push(deref(a));
    case OP_PLUS_UCONST:
      return stack.pop(a) && stack.push(plus(a, static_cast<int64_t>(cursor.uleb())));
    case OP_MUL:
      return stack.pop(b) && stack.pop(a) && stack.push(product(a, b));
    case OP_PLUS:
      return stack.pop(b) && stack.pop(a) && stack.push(sum(a, b));
    case OP_MINUS:
      if (!stack.pop(b) || !stack.pop(a)) return false;
      return stack.push(b.kind == Symbol::Number ? plus(a, negated(b.offset)) : Symbol{});
    default:
      return false;
  }
}

/// `withCfa`: the CFA lies on the stack at the start.
Symbol compute(const uint8_t* bytes, size_t length, bool withCfa) {
  ByteCursor cursor(bytes, length);
  Stack stack;
  if (withCfa) stack.push({Symbol::Place, CFA_SYMBOL, 0, 0});
  while (!cursor.atEnd()) {
    if (!step(cursor, stack)) return {};
  }
  Symbol result;
  return cursor.ok() && stack.pop(result) ? result : Symbol{};
}

/// rsp + 8 + ((rip & 15) >= N) << 3, where N is 11, or 10 with linkers that put an endbr64 first: an
/// entry of the PLT pushes its index before its last, five-byte jump.
bool isPlt(const uint8_t* bytes, size_t length, int64_t& threshold) {
  static constexpr uint8_t PATTERN[] = {0x77, 8, 0x80, 0, 0x3f, 0x1a, 0, 0x2a, 0x33, 0x24, 0x22};
  constexpr size_t THRESHOLD = 6;
  if (length != sizeof PATTERN) return false;
  if (std::memcmp(bytes, PATTERN, THRESHOLD) != 0) return false;
  if (std::memcmp(bytes + THRESHOLD + 1, PATTERN + THRESHOLD + 1, length - THRESHOLD - 1) != 0) return false;
  threshold = bytes[THRESHOLD] - OP_LIT0;
  return threshold > 0 && threshold < 16;
}

}  // namespace

CfaRule cfaFromExpression(const uint8_t* bytes, size_t length) {
  int64_t threshold = 0;
  if (isPlt(bytes, length, threshold)) return {CfaRule::Plt, RSP, 8, threshold};
  const Symbol result = compute(bytes, length, false);
  const bool indexed = result.index != NO_INDEX;
  if (result.kind == Symbol::Place && !indexed) return {CfaRule::Register, result.reg, result.offset};
  if (result.kind != Symbol::Loaded) return {CfaRule::Unknown};
  if (!indexed) return {CfaRule::Deref, result.reg, result.offset, result.add};
  return {CfaRule::DerefIndexed, result.reg, result.offset, result.add, result.index};
}

RegisterRule savedAtExpression(const uint8_t* bytes, size_t length) {
  const Symbol result = compute(bytes, length, true);
  if (result.kind != Symbol::Place || result.index != NO_INDEX) return {RegisterRule::Unknown, 0, 0};
  if (result.reg == CFA_SYMBOL) return {RegisterRule::AtCfa, 0, result.offset};
  return {RegisterRule::AtRegister, result.reg, result.offset};
}

RegisterRule valueOfExpression(const uint8_t* bytes, size_t length) {
  const Symbol result = compute(bytes, length, true);
  if (result.index != NO_INDEX) return {RegisterRule::Unknown, 0, 0};
  if (result.kind == Symbol::Place) {
    if (result.reg == CFA_SYMBOL) return {RegisterRule::IsCfa, 0, result.offset};
    return {RegisterRule::IsRegister, result.reg, result.offset};
  }
  // *(place) + 0 is a register that was saved at the place.
  if (result.kind == Symbol::Loaded && result.add == 0) {
    if (result.reg == CFA_SYMBOL) return {RegisterRule::AtCfa, 0, result.offset};
    return {RegisterRule::AtRegister, result.reg, result.offset};
  }
  return {RegisterRule::Unknown, 0, 0};
}

}  // namespace fleetflame::unwind
