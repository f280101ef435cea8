// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "../bpf/unwind-maps.h"
#include "../unwind/elf-reader.h"
#include "../unwind/unwind-table.h"

namespace fleetflame {

/// A table as the kernel's maps hold it; the layout is in bpf/unwind-maps.h.
struct TableImage {
  unwind_table_info info{};
  /// Blocks of TABLE_BLOCK_BYTES.
  std::vector<uint8_t> blocks;

  size_t blockCount() const { return blocks.size() / TABLE_BLOCK_BYTES; }
};

/// Turns addresses into file offsets, which is what mappings are made of. False when there is code
/// at file offsets of 4 GiB and more.
bool toTableImage(const unwind::UnwindTable& table, const std::vector<unwind::ElfReader::Segment>& segments,
                  TableImage& out);

/// The rule of a file offset, as the BPF program finds it.
const unwind_rule* findRule(const TableImage& image, uint32_t offset);

}  // namespace fleetflame
