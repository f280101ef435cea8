// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "byte-source.h"
#include "reason.h"

namespace fleetflame::unwind {

/// What unwinding needs of an ELF file: where its code is, and where its frame descriptions are.
/// Everything the headers say is checked against the size of the source; section headers are used
/// when there are any and never needed.
class ElfReader {
 public:
  struct Segment {
    uint64_t address;
    uint64_t offset;
    uint64_t fileSize;
    uint64_t memorySize;
    bool executable;
  };

  struct Section {
    std::string name;
    uint64_t address;
    uint64_t offset;
    uint64_t size;
    /// SHF_COMPRESSED, or the older .zdebug_ name.
    bool compressed;
  };

  /// Programs have a dozen segments; debug files of large projects some hundred sections.
  static constexpr size_t MAX_SEGMENTS = 128;
  static constexpr size_t MAX_SECTIONS = 4096;

  /// The source must outlive the reader.
  explicit ElfReader(ByteSource& source) : source_(source) {}

  /// Refusal::None when the file can be asked for the rest.
  Refusal open();

  ByteSource& source() const { return source_; }
  /// Loaded ones, by address.
  const std::vector<Segment>& segments() const { return segments_; }
  /// Sections with bytes whose name ends in "_frame", ".gopclntab" or ".go.module"; empty without section headers.
  const std::vector<Section>& sections() const { return sections_; }
  const Section* section(const char* name) const;
  /// Loaded tables of relocations (RELA), from section headers.
  const std::vector<Section>& relocations() const { return relocations_; }
  /// Address of .eh_frame_hdr (PT_GNU_EH_FRAME), 0 without.
  uint64_t frameHeaderAddress() const { return frameHeaderAddress_; }
  uint64_t frameHeaderSize() const { return frameHeaderSize_; }

  /// The segment that holds the address as bytes of the file.
  const Segment* segmentAt(uint64_t address) const;
  bool isCode(uint64_t address) const;
  /// First and last + 1 byte of code.
  uint64_t codeStart() const { return codeStart_; }
  uint64_t codeEnd() const { return codeEnd_; }

  /// Bytes at an address, from the file.
  bool readAt(uint64_t address, void* out, size_t length) const;

 private:
  Refusal readSegments(uint64_t offset, size_t count);
  void readSections(uint64_t offset, size_t count, size_t nameTable);

  ByteSource& source_;
  std::vector<Segment> segments_;
  std::vector<Section> sections_;
  std::vector<Section> relocations_;
  uint64_t frameHeaderAddress_ = 0;
  uint64_t frameHeaderSize_ = 0;
  uint64_t codeStart_ = 0;
  uint64_t codeEnd_ = 0;
};

}  // namespace fleetflame::unwind
