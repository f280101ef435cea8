// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "frame-state.h"
#include "reason.h"
#include "rule.h"

namespace fleetflame::unwind {

using Rule = unwind_rule;

bool isSame(const Rule& a, const Rule& b);

Rule unsupportedRule(Unsupported reason);
Rule signalRule();
/// The stack grew by `depth` bytes since the call: Go's descriptions. What does not fit is unsupported.
Rule stackDepthRule(int64_t depth);
/// By the frame pointer of the caller.
Rule framePointerRule();

/// The rule for a state of the interpreter. `signalFrame`: its CIE says that the caller was
/// interrupted. What no rule can say becomes CFA_UNSUPPORTED.
Rule ruleFromState(const FrameState& state, bool signalFrame);

/// Every field has a value that the walker knows: what comes from a cache file is checked.
bool isValid(const Rule& rule);

/// "rsp+8 rbp=c-16 rbx=s ra=c-8", "plt>=11 ...", "none": for dumps and tests.
std::string describe(const Rule& rule);

}  // namespace fleetflame::unwind
