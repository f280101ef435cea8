// SPDX-License-Identifier: Apache-2.0
#include "rule-from-state.h"

#include <cstring>

namespace fleetflame::unwind {
namespace {

constexpr int64_t SLOT_BYTES = 8;
constexpr int64_t MAX_SLOT = RBX_LOST - 1;

bool fits32(int64_t value) { return value >= INT32_MIN && value <= INT32_MAX; }
bool fits16(int64_t value) { return value >= INT16_MIN && value <= INT16_MAX; }

uint8_t pack(unsigned kind, uint8_t reg) { return static_cast<uint8_t>(kind | unsigned{reg} << RULE_REGISTER_SHIFT); }

/// A negative multiple of eight as a number of slots below the CFA; 0 when it is none.
uint8_t slotOf(int64_t offset) {
  if (offset >= 0 || offset < -MAX_SLOT * SLOT_BYTES || offset % SLOT_BYTES != 0) return 0;
  return static_cast<uint8_t>(-offset / SLOT_BYTES);
}

bool isAt(const RegisterRule& rule, uint8_t reg, int64_t offset) {
  return rule.kind == RegisterRule::AtRegister && rule.reg == reg && rule.offset == offset;
}

/// The description that C libraries give of the code that returns from a signal handler.
bool isSignalReturn(const FrameState& state) {
  return state.cfa.kind == CfaRule::Deref && state.cfa.reg == RSP && state.cfa.offset == UNWIND_SIGCONTEXT_RSP && state.cfa.add == 0 &&
         isAt(state.registers[TRACKED_RBP], RSP, UNWIND_SIGCONTEXT_RBP) &&
         isAt(state.registers[TRACKED_RETURN_ADDRESS], RSP, UNWIND_SIGCONTEXT_RIP);
}

bool setCfa(const CfaRule& cfa, Rule& rule, Unsupported& reason) {
  reason = Unsupported::OffsetTooWide;
  if (!fits32(cfa.offset) || !fits16(cfa.add)) return false;
  rule.cfa_reg = cfa.reg;
  rule.cfa_offset = static_cast<int32_t>(cfa.offset);
  rule.cfa_add = static_cast<int16_t>(cfa.add);
  switch (cfa.kind) {
    case CfaRule::Register:
      rule.cfa_kind = CFA_REGISTER;
      return true;
    case CfaRule::Deref:
      rule.cfa_kind = CFA_DEREF;
      return true;
    case CfaRule::DerefIndexed:
      rule.cfa_kind = CFA_DEREF_INDEXED;
      rule.cfa_reg |= static_cast<uint8_t>(cfa.index << RULE_REGISTER_SHIFT);
      return true;
    case CfaRule::Plt:
      rule.cfa_kind = CFA_PLT;
      return true;
    case CfaRule::None:
      reason = Unsupported::NoCfa;
      return false;
    default:
      reason = Unsupported::CfaExpression;
      return false;
  }
}

/// The caller's stack pointer is the CFA unless something else is said.
bool isStackPointerCfa(const RegisterRule& rule) {
  return rule.kind == RegisterRule::Unspecified || (rule.kind == RegisterRule::IsCfa && rule.offset == 0);
}

bool setReturnAddress(const RegisterRule& saved, Rule& rule) {
  if (saved.kind == RegisterRule::AtCfa) {
    rule.ra_slot = slotOf(saved.offset);
    rule.ra_rule = pack(RA_AT_CFA, 0);
    return rule.ra_slot != 0;
  }
  rule.ra_rule = pack(RA_IS_REGISTER, saved.reg);
  return saved.kind == RegisterRule::IsRegister && saved.offset == 0;
}

/// Without its rbp a frame can still be followed, if its caller does not need it.
void setRbp(const RegisterRule& saved, Rule& rule) {
  unsigned kind = RBP_UNDEFINED;
  switch (saved.kind) {
    case RegisterRule::Unspecified:
    case RegisterRule::Same:
      kind = RBP_SAME;
      break;
    case RegisterRule::AtCfa:
      kind = RBP_AT_CFA;
      break;
    case RegisterRule::AtRegister:
      kind = RBP_AT_REGISTER;
      break;
    case RegisterRule::IsCfa:
      kind = RBP_IS_CFA;
      break;
    case RegisterRule::IsRegister:
      kind = RBP_IS_REGISTER;
      break;
    default:
      break;
  }
  if (!fits32(saved.offset)) kind = RBP_UNDEFINED;
  const bool hasRegister = kind == RBP_AT_REGISTER || kind == RBP_IS_REGISTER;
  rule.rbp_rule = pack(kind, hasRegister ? saved.reg : 0);
  rule.rbp_offset = kind == RBP_SAME || kind == RBP_UNDEFINED ? 0 : static_cast<int32_t>(saved.offset);
}

void setRbx(const RegisterRule& saved, Rule& rule) {
  const bool same = saved.kind == RegisterRule::Unspecified || saved.kind == RegisterRule::Same;
  const uint8_t slot = saved.kind == RegisterRule::AtCfa ? slotOf(saved.offset) : 0;
  rule.rbx_slot = same ? 0 : slot != 0 ? slot : RBX_LOST;
}

std::string signedNumber(int64_t value) { return (value < 0 ? "" : "+") + std::to_string(value); }

std::string describeCfa(const Rule& rule) {
  const std::string place = registerName(rule.cfa_reg & RULE_KIND_MASK) + signedNumber(rule.cfa_offset);
  const std::string index = registerName(rule.cfa_reg >> RULE_REGISTER_SHIFT);
  switch (rule.cfa_kind) {
    case CFA_NONE:
      return "none";
    case CFA_END_OF_STACK:
      return "end";
    case CFA_REGISTER:
      return place;
    case CFA_DEREF:
      return "*(" + place + ")" + signedNumber(rule.cfa_add);
    case CFA_DEREF_INDEXED:
      return "*(" + place + "+8*" + index + ")" + signedNumber(rule.cfa_add);
    case CFA_PLT:
      return "plt>=" + std::to_string(rule.cfa_add);
    case CFA_SIGNAL:
      return "signal";
    default:
      return std::string("unsupported:") + nameOf(static_cast<Unsupported>(rule.cfa_offset));
  }
}

std::string describeRbp(const Rule& rule) {
  const std::string number = signedNumber(rule.rbp_offset);
  const std::string reg = registerName(rule.rbp_rule >> RULE_REGISTER_SHIFT);
  switch (rule.rbp_rule & RULE_KIND_MASK) {
    case RBP_SAME:
      return "s";
    case RBP_AT_CFA:
      return "c" + number;
    case RBP_AT_REGISTER:
      return "*(" + reg + number + ")";
    case RBP_IS_CFA:
      return "v" + number;
    case RBP_IS_REGISTER:
      return reg + number;
    default:
      return "u";
  }
}

}  // namespace

bool isSame(const Rule& a, const Rule& b) { return std::memcmp(&a, &b, sizeof a) == 0; }

Rule unsupportedRule(Unsupported reason) {
  Rule rule{};
  rule.cfa_kind = CFA_UNSUPPORTED;
  rule.cfa_offset = static_cast<int32_t>(reason);
  return rule;
}

Rule signalRule() {
  Rule rule{};
  rule.cfa_kind = CFA_SIGNAL;
  rule.ra_rule = RA_EXACT;
  return rule;
}

Rule stackDepthRule(int64_t depth) {
  Rule rule{};
  if (depth < 0 || !fits32(depth + SLOT_BYTES)) return unsupportedRule(Unsupported::OffsetTooWide);
  rule.cfa_kind = CFA_REGISTER;
  rule.cfa_reg = RSP;
  rule.cfa_offset = static_cast<int32_t>(depth + SLOT_BYTES);
  rule.rbp_rule = pack(RBP_SAME, 0);
  rule.ra_rule = pack(RA_AT_CFA, 0);
  rule.ra_slot = 1;
  return rule;
}

Rule framePointerRule() {
  Rule rule = stackDepthRule(SLOT_BYTES);
  rule.cfa_reg = RBP;
  rule.rbp_rule = pack(RBP_AT_CFA, 0);
  rule.rbp_offset = static_cast<int32_t>(-2 * SLOT_BYTES);
  return rule;
}

Rule ruleFromState(const FrameState& state, bool signalFrame) {
  if (signalFrame && isSignalReturn(state)) return signalRule();
  const RegisterRule& returnAddress = state.registers[TRACKED_RETURN_ADDRESS];
  Rule rule{};
  if (returnAddress.kind == RegisterRule::Undefined) {
    rule.cfa_kind = CFA_END_OF_STACK;
    return rule;
  }
  Unsupported reason{};
  if (!setCfa(state.cfa, rule, reason)) return unsupportedRule(reason);
  if (!isStackPointerCfa(state.registers[TRACKED_RSP])) return unsupportedRule(Unsupported::StackPointer);
  if (!setReturnAddress(returnAddress, rule)) return unsupportedRule(Unsupported::ReturnAddress);
  setRbp(state.registers[TRACKED_RBP], rule);
  setRbx(state.registers[TRACKED_RBX], rule);
  if (signalFrame) rule.ra_rule |= RA_EXACT;
  return rule;
}

bool isValid(const Rule& rule) {
  if (rule.cfa_kind > CFA_UNSUPPORTED) return false;
  if (rule.cfa_reg >= GENERAL_REGISTERS && rule.cfa_kind != CFA_DEREF_INDEXED) return false;
  if (rule.cfa_kind == CFA_UNSUPPORTED && (rule.cfa_offset < 0 || static_cast<size_t>(rule.cfa_offset) >= UNSUPPORTED)) return false;
  return (rule.rbp_rule & RULE_KIND_MASK) <= RBP_UNDEFINED && (rule.ra_rule & RA_KIND_MASK) <= RA_IS_REGISTER;
}

std::string describe(const Rule& rule) {
  std::string text = describeCfa(rule);
  if (rule.cfa_kind < CFA_REGISTER || rule.cfa_kind > CFA_PLT) return text;
  const bool inRegister = (rule.ra_rule & RA_KIND_MASK) == RA_IS_REGISTER;
  text += " rbp=" + describeRbp(rule);
  text += " rbx=" + (rule.rbx_slot == 0 ? "s" : rule.rbx_slot == RBX_LOST ? "u" : "c" + signedNumber(-SLOT_BYTES * rule.rbx_slot));
  text += " ra=" + (inRegister ? registerName(rule.ra_rule >> RULE_REGISTER_SHIFT) : "c" + signedNumber(-SLOT_BYTES * rule.ra_slot));
  if ((rule.ra_rule & RA_EXACT) != 0) text += " exact";
  return text;
}

}  // namespace fleetflame::unwind
