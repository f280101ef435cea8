// SPDX-License-Identifier: Apache-2.0
#include "fold-table.h"

#include <random>

namespace fleetflame {
namespace {

constexpr size_t FIRST_SLOTS = 1024;

/// Programs choose their own addresses; a seed that they do not know keeps chains short.
const uint64_t HASH_SEED = (uint64_t{std::random_device{}()} << 32) | std::random_device{}();

/// Finalizer of splitmix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
uint64_t mix(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
  return x ^ (x >> 31);
}

uint64_t hashOf(const SampleKey& key, uint32_t comm, std::span<const Frame> frames) {
  uint64_t hash = mix(HASH_SEED ^ ((uint64_t{key.pid} << 32) | comm));
  hash = mix(hash ^ ((static_cast<uint64_t>(key.second) << 16) | (key.end << 8) | key.flags));
  for (const Frame& frame : frames) {
    hash = mix(hash ^ frame.address) + ((uint64_t{frame.binary} << 1) | (frame.isReturn ? 1 : 0));
  }
  return mix(hash);
}

template <typename T>
size_t bytesOf(const std::vector<T>& values) {
  return values.capacity() * sizeof(T);
}

}  // namespace

bool FoldTable::add(const SampleKey& key, std::span<const Frame> frames) {
  uint32_t name = 0;
  if (!commIndex(key.comm, name)) return false;
  const uint64_t hash = hashOf(key, name, frames);
  if (slots_.size() < 2 * (rows() + 1)) grow();
  size_t slot = hash & (slots_.size() - 1);
  for (; slots_[slot] != 0; slot = (slot + 1) & (slots_.size() - 1)) {
    const size_t row = slots_[slot] - 1;
    if (equals(row, hash, key, name, frames)) {
      count[row]++;
      return true;
    }
  }
  if (rows() >= maxRows_ || frameAddress.size() + frames.size() > maxRows_ * MAX_FRAMES_PER_ROW) return false;
  pid.push_back(key.pid);
  comm.push_back(name);
  second.push_back(key.second);
  count.push_back(1);
  flags.push_back(key.flags);
  end.push_back(key.end);
  for (const Frame& frame : frames) {
    frameAddress.push_back(frame.address);
    frameBinary.push_back(frame.binary);
    frameIsReturn.push_back(frame.isReturn ? 1 : 0);
  }
  stackStart.push_back(static_cast<uint32_t>(frameAddress.size()));
  hashes_.push_back(hash);
  slots_[slot] = static_cast<uint32_t>(rows());
  return true;
}

bool FoldTable::equals(size_t row, uint64_t hash, const SampleKey& key, uint32_t name,
                       std::span<const Frame> frames) const {
  if (hashes_[row] != hash || pid[row] != key.pid || comm[row] != name || second[row] != key.second ||
      flags[row] != key.flags || end[row] != key.end) {
    return false;
  }
  const size_t start = stackStart[row];
  if (stackStart[row + 1] - start != frames.size()) return false;
  for (size_t i = 0; i < frames.size(); i++) {
    if (frameAddress[start + i] != frames[i].address || frameBinary[start + i] != frames[i].binary ||
        (frameIsReturn[start + i] != 0) != frames[i].isReturn) {
      return false;
    }
  }
  return true;
}

bool FoldTable::commIndex(std::string_view name, uint32_t& index) {
  std::string key(name);
  if (const auto at = commIndexes_.find(key); at != commIndexes_.end()) {
    index = at->second;
    return true;
  }
  // A name that is new needs a row that is new.
  if (rows() >= maxRows_) return false;
  index = static_cast<uint32_t>(comms.size());
  comms.push_back(key);
  commIndexes_.emplace(std::move(key), index);
  return true;
}

void FoldTable::grow() {
  const size_t size = slots_.empty() ? FIRST_SLOTS : 2 * slots_.size();
  slots_.assign(size, 0);
  for (size_t row = 0; row < rows(); row++) {
    size_t slot = hashes_[row] & (size - 1);
    while (slots_[slot] != 0) slot = (slot + 1) & (size - 1);
    slots_[slot] = static_cast<uint32_t>(row + 1);
  }
}

size_t FoldTable::memoryBytes() const {
  return bytesOf(pid) + bytesOf(comm) + bytesOf(second) + bytesOf(count) + bytesOf(flags) + bytesOf(end) + bytesOf(stackStart) +
         bytesOf(frameAddress) + bytesOf(frameBinary) + bytesOf(frameIsReturn) + bytesOf(slots_) + bytesOf(hashes_) +
         comms.capacity() * sizeof(std::string);
}

}  // namespace fleetflame
