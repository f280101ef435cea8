// SPDX-License-Identifier: Apache-2.0
//
// Walks stacks of a process by the BPF program's unwinder and the tables of its binaries: what the tests
// compare with other unwinders, given the same registers and the same memory.
//
//   walker MAPS [PID]
//
//   MAPS   a copy of /proc/PID/maps
//   PID    its memory is read, as it is at the time; without it the stack comes with the registers, and code
//          from the files
//
// stdin, little endian, until it ends:   16 registers by DWARF number, ip, number of bytes of stack from rsp up, the bytes
// stdout, a line for each:               END FLAGS FRAME ...
//
// A frame is an address in hex, with '=' where it was interrupted, not called from. Ends are numbers of enum stack_end.
//
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "../../addon/table-image.h"
#include "../../unwind/build.h"
#include "../../unwind/byte-source.h"
#include "walk.h"

namespace {

using namespace fleetflame;

constexpr uint32_t MAX_STACK_BYTES = 1 << 20;
/// Six registers that functions save.
constexpr uint64_t MAX_POPPED_BYTES = 6 * 8;
constexpr size_t REGISTER_BP = 6;
constexpr size_t REGISTER_SP = 7;

[[noreturn]] void fail(const std::string& what) {
  std::fprintf(stderr, "walker: %s\n", what.c_str());
  std::exit(1);
}

struct Table {
  TableImage image;
  uint32_t state = TABLE_WITHOUT_FRAMES;
  int fd = -1;
};

Table buildTable(unwind::ByteSource& source) {
  Table out;
  unwind::ElfReader elf(source);
  unwind::UnwindTable table;
  if (elf.open() != unwind::Refusal::None || build(elf, unwind::Limits{}, table) != unwind::Refusal::None) return out;
  if (toTableImage(table, elf.segments(), out.image)) out.state = TABLE_READY;
  return out;
}

/// What a sample may read: its stack, a process's memory, code from files.
class Memory {
 public:
  explicit Memory(int processMemory) : process_(processMemory) {}

  void setStack(uint64_t start, const std::vector<uint8_t>& bytes, uint64_t rbp) {
    stackStart_ = start;
    stack_ = &bytes;
    rbp_ = rbp;
  }
  void addCode(const unwind_mapping& mapping, int fd) { code_.push_back({mapping, fd}); }

  bool read(void* out, uint64_t address, size_t length) const {
    if (process_ >= 0) return pread(process_, out, length, static_cast<off_t>(address)) == static_cast<ssize_t>(length);
    // Descriptions go on to say that rbp is saved where it has been popped from, below the copy. There, what was popped
    // still is: the present rbp.
    if (address < stackStart_ && address >= stackStart_ - MAX_POPPED_BYTES && length == sizeof rbp_) {
      std::memcpy(out, &rbp_, length);
      return true;
    }
    const uint64_t within = address - stackStart_;
    if (address >= stackStart_ && within < stack_->size() && length <= stack_->size() - within) {
      std::memcpy(out, stack_->data() + within, length);
      return true;
    }
    for (const auto& [mapping, fd] : code_) {
      if (address < mapping.start || address >= mapping.end) continue;
      const auto at = static_cast<off_t>(address - mapping.start + mapping.file_offset);
      return pread(fd, out, length, at) == static_cast<ssize_t>(length);
    }
    return false;
  }

 private:
  struct Code {
    unwind_mapping mapping;
    int fd;
  };

  int process_;
  uint64_t stackStart_ = 0;
  uint64_t rbp_ = 0;
  const std::vector<uint8_t>* stack_ = nullptr;
  std::vector<Code> code_;
};

/// The vDSO of this process: that of all others.
std::vector<uint8_t> ownVdso() {
  std::FILE* maps = std::fopen("/proc/self/maps", "re");
  char line[1024];
  std::vector<uint8_t> out;
  while (maps != nullptr && std::fgets(line, sizeof line, maps) != nullptr) {
    unsigned long long start = 0;
    unsigned long long end = 0;
    if (std::strstr(line, "[vdso]") == nullptr || std::sscanf(line, "%llx-%llx", &start, &end) != 2) continue;
    const auto* bytes = reinterpret_cast<const uint8_t*>(start);
    out.assign(bytes, bytes + (end - start));
  }
  if (maps != nullptr) std::fclose(maps);
  return out;
}

class World {
 public:
  World(const char* mapsPath, int processMemory) : memory_(processMemory) {
    tables_.emplace_back();
    std::FILE* maps = std::fopen(mapsPath, "re");
    if (maps == nullptr) fail(std::string("cannot open ") + mapsPath);
    char line[8192];
    while (std::fgets(line, sizeof line, maps) != nullptr) addLine(line);
    std::fclose(maps);
    for (Table& table : tables_) {
      table.image.info.state = table.state;
      table.image.info.generation = static_cast<uint32_t>(views_.size()) + 1;
      views_.push_back({table.image.info, table.image.blocks.empty() ? nullptr : table.image.blocks.data(), table.image.blockCount()});
    }
  }

  Memory& memory() { return memory_; }

  walk_world view() {
    const auto read = [](void* reader, void* out, __u64 address, size_t length) -> int {
      return static_cast<Memory*>(reader)->read(out, address, length);
    };
    return {mappings_.data(), mappings_.size(), views_.data(), views_.size(), read, &memory_};
  }

 private:
  void addLine(const char* line) {
    unsigned long long start = 0;
    unsigned long long end = 0;
    unsigned long long offset = 0;
    char flags[8];
    int pathAt = 0;
    if (std::sscanf(line, "%llx-%llx %7s %llx %*s %*s %n", &start, &end, flags, &offset, &pathAt) < 4 || flags[2] != 'x') return;
    std::string path(line + pathAt);
    path.erase(path.find_last_not_of('\n') + 1);
    unwind_mapping mapping{start, end, offset, 0, 0};
    if (path == "[vdso]") {
      mapping.file_offset = 0;
      vdso_ = ownVdso();
      unwind::MemorySource source(vdso_.data(), vdso_.size());
      mapping.table = addTable(path, buildTable(source));
    } else if (path.front() == '/') {
      mapping.table = tableOf(path);
      memory_.addCode(mapping, tables_[mapping.table].fd);
    } else if (path.rfind("[vsyscall]", 0) == 0) {
      return;
    }
    mappings_.push_back(mapping);
  }

  uint32_t tableOf(const std::string& path) {
    const auto known = byPath_.find(path);
    if (known != byPath_.end()) return known->second;
    const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    unwind::FileSource source(fd);
    Table table = buildTable(source);
    table.fd = fd;
    return addTable(path, std::move(table));
  }

  uint32_t addTable(const std::string& path, Table table) {
    tables_.push_back(std::move(table));
    const auto index = static_cast<uint32_t>(tables_.size() - 1);
    byPath_.emplace(path, index);
    return index;
  }

  Memory memory_;
  std::vector<unwind_mapping> mappings_;
  std::vector<Table> tables_;
  std::vector<walk_table> views_;
  std::map<std::string, uint32_t> byPath_;
  std::vector<uint8_t> vdso_;
};

struct Head {
  __u64 registers[WALK_REGISTERS];
  uint64_t ip;
  uint64_t stackBytes;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2 || argc > 3) fail("usage: walker MAPS [PID]");
  const std::string memoryPath = argc == 3 ? "/proc/" + std::string(argv[2]) + "/mem" : "";
  const int memory = memoryPath.empty() ? -1 : open(memoryPath.c_str(), O_RDONLY | O_CLOEXEC);
  if (argc == 3 && memory < 0) fail("cannot open " + memoryPath);
  World world(argv[1], memory);
  const walk_world view = world.view();
  Head head{};
  std::vector<uint8_t> stack;
  while (std::fread(&head, sizeof head, 1, stdin) == 1) {
    if (head.stackBytes > MAX_STACK_BYTES) fail("too much of a stack");
    stack.resize(head.stackBytes);
    if (!stack.empty() && std::fread(stack.data(), stack.size(), 1, stdin) != 1) fail("the input ends in a stack");
    world.memory().setStack(head.registers[REGISTER_SP], stack, head.registers[REGISTER_BP]);
    sample_record record;
    walk(&view, head.registers, head.ip, &record);
    std::printf("%u %u", record.end, record.flags);
    for (size_t i = 0; i < record.user_depth; i++) {
      const uint64_t frame = record.frames[i];
      std::printf(" %s%llx", (frame & FRAME_EXACT) != 0 ? "=" : "", static_cast<unsigned long long>(frame & ~FRAME_EXACT));
    }
    std::printf("\n");
    std::fflush(stdout);
  }
}
