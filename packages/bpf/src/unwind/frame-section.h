// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <unordered_map>
#include <vector>

#include "byte-window.h"
#include "cfi-program.h"

namespace fleetflame::unwind {

/// What one CIE says, its instructions already run.
struct Cie {
  CfiContext context;
  FrameState initial;
  /// FDEs repeat the length of augmentation data.
  bool hasAugmentationData = false;
  bool signalFrame = false;
  /// Where its functions are can be read.
  bool readable = false;
  /// Their rows too; otherwise they become unsupported rows.
  bool understood = false;
};

/// One function: where its code is and where its instructions are in the section.
struct Fde {
  uint64_t start;
  uint64_t length;
  uint64_t instructions;
  uint64_t instructionsLength;
  uint32_t cie;
};

/// The entries of an .eh_frame or .debug_frame section:
///
///   .eh_frame:    [length 4 | 0xffffffff + 8] [distance back to the CIE 4; 0 in a CIE]  ...
///   .debug_frame: [length 4 | 0xffffffff + 8] [offset of the CIE 4 or 8; ~0 in a CIE]   ...
///
///   CIE: version, augmentation, factors, return column, augmentation data, instructions
///   FDE: start of the code, its length, augmentation data, instructions
///
/// Nothing is kept but the CIEs; pieces are read as they are needed.
class FrameSection {
 public:
  /// .debug_frame has one per compiled file; the largest distribution binaries have some 10,000.
  static constexpr size_t MAX_CIES = 1 << 16;
  /// Real ones have 10 bytes. Bounds the work that many references to one place can cause.
  static constexpr size_t MAX_CIE_BYTES = 1024;

  enum Next {
    Function,
    /// No more entries, or one that cannot be passed over.
    End,
    Unreadable,
    TooManyCies,
  };

  struct Place {
    uint64_t offset;
    uint64_t size;
    /// Of its first byte in memory; .debug_frame has none.
    uint64_t address;
    /// Of DW_EH_PE_datarel; 0 unknown.
    uint64_t dataBase;
    bool isEhFrame;
    /// A length of zero ends it. With section headers the size says where it ends, and a linker may
    /// have put the end mark of one input in the middle.
    bool zeroEnds;
  };

  FrameSection(ByteSource& source, const Place& place)
      : window_(source, place.offset, place.size), place_(place) {}

  /// The next function in the order of the section.
  Next next(Fde& out);

  const Cie& cie(uint32_t index) const { return cies_[index]; }
  size_t cies() const { return cies_.size(); }

  /// The instructions of a function; valid until the next call. Fails the cursor when unreadable.
  ByteCursor instructions(const Fde& fde);
  uint64_t address(uint64_t position) const { return place_.address + position; }

  /// FDEs passed over because their CIE or their encoding could not be used.
  uint64_t skipped() const { return skipped_; }
  /// The walk ended at an entry that makes no sense.
  bool damaged() const { return damaged_; }
  size_t memoryBytes() const;

 private:
  struct Entry {
    /// Positions in the section: after the length, after the identifier, end.
    uint64_t identifierAt;
    uint64_t body;
    uint64_t end;
    uint64_t identifier;
    bool isCie;
  };

  bool readEntry(uint64_t at, Entry& out, bool& zero);
  bool readFde(const Entry& entry, Fde& out, Next& failure);
  uint32_t cieAt(uint64_t at);
  void parseCie(const Entry& entry, Cie& out);
  bool parseAugmentation(ByteCursor& cursor, const Entry& entry, const char* text, size_t length, Cie& out);
  uint64_t cieOf(const Entry& entry) const;

  ByteWindow window_;
  Place place_;
  uint64_t at_ = 0;
  uint64_t skipped_ = 0;
  bool damaged_ = false;
  std::vector<Cie> cies_;
  std::unordered_map<uint64_t, uint32_t> cieByPosition_;
};

}  // namespace fleetflame::unwind
