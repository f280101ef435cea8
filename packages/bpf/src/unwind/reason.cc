// SPDX-License-Identifier: Apache-2.0
#include "reason.h"

namespace fleetflame::unwind {
namespace {

struct Text {
  const char* name;
  const char* sentence;
};

constexpr Text REFUSAL_TEXT[] = {
    {"none", "there is a table"},
    {"not_elf", "it is not an ELF file"},
    {"not_64_bit", "it is not a 64-bit ELF file"},
    {"not_little_endian", "it is not a little-endian ELF file"},
    {"other_machine", "it is for another processor"},
    {"not_loadable", "it is an object or core file, which is never mapped as code"},
    {"no_code", "it has no executable segment"},
    {"no_frames", "it has neither .eh_frame nor .debug_frame"},
    {"unreadable", "it cannot be read where its headers point"},
    {"code_too_wide", "its code spans more than 4 GiB"},
    {"too_many_functions", "it describes more functions than the limit"},
    {"too_many_cies", "it has more CIEs than the limit"},
    {"too_many_rows", "its table has more rows than the limit"},
    {"too_many_rules", "its table has more distinct rules than the limit"},
    {"too_many_bytes", "its table is larger than the limit"},
    {"cancelled", "the work was cancelled"},
};
static_assert(sizeof REFUSAL_TEXT / sizeof *REFUSAL_TEXT == REFUSALS);

constexpr const char* UNSUPPORTED_NAME[] = {
    "malformed", "cie", "no_cfa", "cfa_expression", "stack_pointer", "return_address", "offset_too_wide",
};
static_assert(sizeof UNSUPPORTED_NAME / sizeof *UNSUPPORTED_NAME == UNSUPPORTED);

}  // namespace

const char* describe(Refusal refusal) { return REFUSAL_TEXT[static_cast<size_t>(refusal)].sentence; }
const char* nameOf(Refusal refusal) { return REFUSAL_TEXT[static_cast<size_t>(refusal)].name; }
const char* nameOf(Unsupported reason) { return UNSUPPORTED_NAME[static_cast<size_t>(reason)]; }

}  // namespace fleetflame::unwind
