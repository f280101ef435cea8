// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>

namespace fleetflame {

/// The vDSO of this process, which the kernel maps into every 64-bit one. Empty when there is none.
std::span<const uint8_t> vdsoImage();

}  // namespace fleetflame
