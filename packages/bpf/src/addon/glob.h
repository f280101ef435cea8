// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

namespace fleetflame {

/// Does the pattern match the whole text? `*` is any run of characters without the separator, `**` any
/// run at all, `?` one character that is not the separator; everything else is itself. Takes the product
/// of both lengths in steps at most.
bool globMatches(std::string_view pattern, std::string_view text, char separator = '/');

/// Does the pattern match a path or a directory that it is in? "/a" and "/*" match "/a/b".
bool globCovers(std::string_view pattern, std::string_view path);

}  // namespace fleetflame
