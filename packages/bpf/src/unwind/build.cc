// SPDX-License-Identifier: Apache-2.0
#include "build.h"

#include <algorithm>
#include <cstring>

#include "frame-sources.h"
#include "go-table.h"
#include "table-writer.h"

namespace fleetflame::unwind {
namespace {

/// Functions are aligned to 16 bytes and what lies between is never run: a shorter gap gets no row.
constexpr uint32_t MINIMUM_GAP = 16;
/// How often cancellation is looked at.
constexpr size_t FUNCTIONS_PER_LOOK = 1024;

/// mov $__NR_rt_sigreturn, %rax; syscall
constexpr uint8_t SIGNAL_RETURN[] = {0x48, 0xc7, 0xc0, 0x0f, 0x00, 0x00, 0x00, 0x0f, 0x05};
/// A function that does only this is not longer, padding included.
constexpr uint32_t MAX_SIGNAL_RETURN_BYTES = 32;

/// Of a function that Go's own table describes.
constexpr uint32_t GO_SOURCE = MAX_FRAME_SOURCES;
static_assert(GO_SOURCE < 4);

/// Addresses from the table's base. Of Go: `instructions` are its depths, `instructionsLength` is its GoTable::Kind.
struct Function {
  uint32_t start;
  uint32_t length;
  uint32_t instructions;
  uint32_t instructionsLength;
  uint32_t cie : 30;
  /// Index of a FrameSource, or GO_SOURCE.
  uint32_t source : 2;

  uint64_t end() const { return uint64_t{start} + length; }
};

/// Go's table before all: it says more than what is made from it for debuggers.
uint32_t rankOf(const Function& function) { return function.source == GO_SOURCE ? 0 : function.source + 1; }

bool comesBefore(const Function& a, const Function& b) {
  if (a.start != b.start) return a.start < b.start;
  if (a.source != b.source) return rankOf(a) < rankOf(b);
  return a.instructions < b.instructions;
}

class Builder {
 public:
  Builder(const ElfReader& elf, const Limits& limits, UnwindTable& out)
      : elf_(elf), limits_(limits), table_(out), code_(elf.source(), 0, elf.source().size()), go_(elf) {
    table_.base = elf.codeStart() & ~((uint64_t{1} << UnwindTable::PAGE_BITS) - 1);
    codeBytes_ = static_cast<uint32_t>(std::min<uint64_t>(elf.codeEnd() - table_.base, UINT32_MAX));
  }

  Refusal run(const ElfReader* debugFile) {
    Refusal refusal = openSources(debugFile);
    if (refusal == Refusal::None) refusal = collectGo();
    for (size_t i = 0; refusal == Refusal::None && i < sources_.size(); i++) refusal = collect(i);
    if (refusal != Refusal::None) return refusal;
    resolve();
    if (functions_.empty()) return Refusal::NoFrames;
    refusal = write();
    notePeak(0);
    return refusal;
  }

 private:
  Refusal openSources(const ElfReader* debugFile);
  Refusal collectGo();
  Refusal collect(size_t source);
  void resolve();
  Refusal write();
  Refusal writeFunction(TableWriter& writer, const Function& function, uint32_t end);
  Refusal writeRows(TableWriter& writer, const Function& function, uint32_t end);
  Refusal writeGoFunction(TableWriter& writer, const Function& function, uint32_t end);
  bool isSignalReturn(const Function& function, uint32_t offset);
  void notePeak(size_t writerBytes);
  bool isCancelled() const { return limits_.cancelled != nullptr && limits_.cancelled->load(std::memory_order_relaxed); }

  const ElfReader& elf_;
  const Limits& limits_;
  UnwindTable& table_;
  uint32_t codeBytes_ = 0;
  ByteWindow code_;
  std::vector<FrameSource> sources_;
  GoTable go_;
  bool hasGo_ = false;
  std::vector<Function> functions_;
};

Refusal Builder::openSources(const ElfReader* debugFile) {
  bool damaged = false;
  findEhFrame(elf_, sources_);
  if (!findDebugFrame(elf_, limits_.maxInflatedBytes, sources_, damaged) && debugFile != nullptr) {
    findDebugFrame(*debugFile, limits_.maxInflatedBytes, sources_, damaged);
  }
  table_.statistics.damagedSections += damaged ? 1 : 0;
  hasGo_ = go_.open();
  return sources_.empty() && !hasGo_ ? Refusal::NoFrames : Refusal::None;
}

Refusal Builder::collectGo() {
  GoTable::Function function{};
  while (hasGo_ && go_.next(function)) {
    const bool fits = function.depths <= UINT32_MAX && function.length > 0;
    if (!fits || !elf_.isCode(function.start) || function.start - table_.base >= codeBytes_) {
      table_.statistics.outsideCode++;
      continue;
    }
    if (functions_.size() >= limits_.maxFunctions) return Refusal::TooManyFunctions;
    const auto start = static_cast<uint32_t>(function.start - table_.base);
    const auto length = static_cast<uint32_t>(std::min<uint64_t>(function.length, codeBytes_ - start));
    functions_.push_back({start, length, static_cast<uint32_t>(function.depths), function.kind, 0, GO_SOURCE});
    table_.statistics.goFunctions++;
    if (functions_.size() % FUNCTIONS_PER_LOOK == 0 && isCancelled()) return Refusal::Cancelled;
  }
  table_.statistics.damagedSections += hasGo_ && go_.damaged() ? 1 : 0;
  return Refusal::None;
}

Refusal Builder::collect(size_t source) {
  FrameSection& section = *sources_[source].section;
  Statistics& statistics = table_.statistics;
  Fde fde{};
  FrameSection::Next next;
  while ((next = section.next(fde)) == FrameSection::Function) {
    if (fde.length == 0) continue;
    const bool fits = fde.instructions <= UINT32_MAX && fde.instructionsLength <= UINT32_MAX;
    if (!fits || !elf_.isCode(fde.start) || fde.start - table_.base >= codeBytes_) {
      statistics.outsideCode++;
      continue;
    }
    if (functions_.size() >= limits_.maxFunctions) return Refusal::TooManyFunctions;
    const auto start = static_cast<uint32_t>(fde.start - table_.base);
    const auto length = static_cast<uint32_t>(std::min<uint64_t>(fde.length, codeBytes_ - start));
    functions_.push_back({start, length, static_cast<uint32_t>(fde.instructions), static_cast<uint32_t>(fde.instructionsLength),
                          fde.cie, static_cast<uint32_t>(source)});
    if (functions_.size() % FUNCTIONS_PER_LOOK == 0 && isCancelled()) return Refusal::Cancelled;
  }
  statistics.skipped += section.skipped();
  statistics.damagedSections += section.damaged() ? 1 : 0;
  if (next == FrameSection::TooManyCies) return Refusal::TooManyCies;
  return next == FrameSection::Unreadable ? Refusal::Unreadable : Refusal::None;
}

/// Sorts, and drops what another description makes void. Both counts go to the statistics.
void Builder::resolve() {
  std::sort(functions_.begin(), functions_.end(), comesBefore);
  Statistics& statistics = table_.statistics;
  const auto isEh = [&](const Function& function) { return function.source == GO_SOURCE || sources_[function.source].isEhFrame; };
  // .debug_frame is dropped where .eh_frame says anything: the next .eh_frame function from behind
  // bounds it at its end, the last one before bounds it at its start.
  uint64_t ehEnd = 0;
  size_t kept = 0;
  size_t nextEh = 0;
  for (size_t i = 0; i < functions_.size(); i++) {
    const Function function = functions_[i];
    if (isEh(function)) {
      ehEnd = std::max(ehEnd, function.end());
    } else {
      nextEh = std::max(nextEh, i + 1);
      while (nextEh < functions_.size() && !isEh(functions_[nextEh])) nextEh++;
      const bool reaches = nextEh < functions_.size() && functions_[nextEh].start < function.end();
      if (reaches || function.start < ehEnd) {
        statistics.overlaps++;
        continue;
      }
      statistics.debugFrameFunctions++;
    }
    if (kept > 0 && functions_[kept - 1].start == function.start) {
      statistics.overlaps++;
      continue;
    }
    if (kept > 0 && functions_[kept - 1].end() > function.start) statistics.overlaps++;
    functions_[kept++] = function;
  }
  functions_.resize(kept);
  statistics.functions = kept;
}

Refusal Builder::write() {
  TableWriter writer(table_, {limits_.maxRows, limits_.maxBytes}, codeBytes_);
  uint32_t end = 0;
  for (size_t i = 0; i < functions_.size(); i++) {
    const Function& function = functions_[i];
    if (i % FUNCTIONS_PER_LOOK == 0 && isCancelled()) return Refusal::Cancelled;
    Refusal refusal = Refusal::None;
    if (i > 0 && function.start - end >= MINIMUM_GAP) refusal = writer.add(end, Rule{});
    end = static_cast<uint32_t>(function.end());
    if (i + 1 < functions_.size()) end = std::min(end, functions_[i + 1].start);
    if (refusal == Refusal::None) refusal = writeFunction(writer, function, end);
    if (refusal != Refusal::None) return refusal;
  }
  const Refusal refusal = writer.add(end, Rule{});
  if (refusal != Refusal::None) return refusal;
  notePeak(writer.memoryBytes());
  writer.finish();
  for (const uint32_t row : table_.rows) {
    const Rule& rule = table_.rules[UnwindTable::ruleIndex(row)];
    if (rule.cfa_kind == CFA_UNSUPPORTED) table_.statistics.unsupportedRows[rule.cfa_offset]++;
  }
  return Refusal::None;
}

Refusal Builder::writeFunction(TableWriter& writer, const Function& function, uint32_t end) {
  if (isSignalReturn(function, 0)) {
    table_.statistics.signalFunctions++;
    // A signal handler "returns" to the first byte, and callers are looked up one byte earlier: the
    // rule begins there. C libraries that describe this code let the description begin there.
    return writer.add(function.start - (function.start > 0 ? 1 : 0), signalRule());
  }
  if (isSignalReturn(function, 1)) {
    table_.statistics.signalFunctions++;
    return writer.add(function.start, signalRule());
  }
  if (function.source == GO_SOURCE) return writeGoFunction(writer, function, end);
  const Cie& cie = sources_[function.source].section->cie(function.cie);
  if (!cie.understood) return writer.add(function.start, unsupportedRule(Unsupported::Cie));
  return writeRows(writer, function, end);
}

Refusal Builder::writeRows(TableWriter& writer, const Function& function, uint32_t end) {
  FrameSection& section = *sources_[function.source].section;
  const Cie& cie = section.cie(function.cie);
  const Fde fde{0, 0, function.instructions, function.instructionsLength, function.cie};
  const uint64_t start = table_.base + function.start;
  CfiProgram program(section.instructions(fde), section.address(fde.instructions), cie.context, start, cie.initial);
  while (true) {
    const CfiProgram::Step step = program.step();
    const uint64_t at = program.rowStart() - table_.base;
    if (at >= end) return Refusal::None;
    table_.statistics.statesSeen++;
    const Rule rule =
        step == CfiProgram::Malformed ? unsupportedRule(Unsupported::Malformed) : ruleFromState(program.row(), cie.signalFrame);
    const Refusal refusal = writer.add(static_cast<uint32_t>(at), rule);
    if (refusal != Refusal::None || step != CfiProgram::Row) return refusal;
  }
}

Refusal Builder::writeGoFunction(TableWriter& writer, const Function& function, uint32_t end) {
  Refusal refusal = Refusal::None;
  switch (function.instructionsLength) {
    case GoTable::Outermost: {
      Rule rule{};
      rule.cfa_kind = CFA_END_OF_STACK;
      return writer.add(function.start, rule);
    }
    case GoTable::SwitchesStack:
      return writer.add(function.start, framePointerRule());
    case GoTable::ReturnedTo:
      // Callers are looked up one byte before the address that they are returned to.
      refusal = writer.add(function.start - (function.start > 0 ? 1 : 0), stackDepthRule(0));
      break;
    default:
      break;
  }
  if (refusal != Refusal::None) return refusal;
  uint64_t last = 0;
  const bool whole = go_.stretches(function.instructions, table_.base + function.start, last, [&](const GoTable::Stretch& stretch) {
    const uint64_t at = stretch.start - table_.base;
    if (at >= end) return false;
    table_.statistics.statesSeen++;
    refusal = writer.add(static_cast<uint32_t>(at), stackDepthRule(stretch.depth));
    return refusal == Refusal::None;
  });
  // They were whole when the functions were listed; a file may change.
  if (!whole && refusal == Refusal::None && last - table_.base < end) table_.statistics.skipped++;
  return refusal;
}

bool Builder::isSignalReturn(const Function& function, uint32_t offset) {
  if (function.length > MAX_SIGNAL_RETURN_BYTES || function.length < sizeof SIGNAL_RETURN + offset) return false;
  const uint64_t address = table_.base + function.start + offset;
  const ElfReader::Segment* segment = elf_.segmentAt(address);
  if (segment == nullptr) return false;
  const uint8_t* bytes = code_.view(segment->offset + (address - segment->address), sizeof SIGNAL_RETURN);
  return bytes != nullptr && std::memcmp(bytes, SIGNAL_RETURN, sizeof SIGNAL_RETURN) == 0;
}

void Builder::notePeak(size_t writerBytes) {
  uint64_t bytes = functions_.capacity() * sizeof(Function) + code_.memoryBytes() + go_.memoryBytes() + writerBytes;
  for (const FrameSource& source : sources_) bytes += source.inflated.capacity() + source.section->memoryBytes();
  table_.statistics.peakBytes = std::max(table_.statistics.peakBytes, bytes);
}

}  // namespace

Refusal build(const ElfReader& elf, const Limits& limits, UnwindTable& out, const ElfReader* debugFile) {
  out = UnwindTable{};
  for (const ElfReader::Section& section : elf.sections()) {
    if (section.name.find("gopclntab") != std::string::npos) out.statistics.isGo = 1;
  }
  const Refusal refusal = Builder(elf, limits, out).run(debugFile);
  if (refusal != Refusal::None) {
    const Statistics statistics = out.statistics;
    out = UnwindTable{};
    out.statistics = statistics;
  }
  return refusal;
}

}  // namespace fleetflame::unwind
