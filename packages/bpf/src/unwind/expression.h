// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "frame-state.h"

namespace fleetflame::unwind {

/// Expressions are computed with symbols instead of values: the result is "register + n",
/// "*(register + n) + m", the same with an index register, or unknown. Compilers and hand-written
/// assembly use no others, apart from the one that linkers write for the PLT, known by its bytes.

/// DW_CFA_def_cfa_expression.
CfaRule cfaFromExpression(const uint8_t* bytes, size_t length);

/// DW_CFA_expression: the result is where the register was saved.
RegisterRule savedAtExpression(const uint8_t* bytes, size_t length);

/// DW_CFA_val_expression: the result is the register's value.
RegisterRule valueOfExpression(const uint8_t* bytes, size_t length);

}  // namespace fleetflame::unwind
