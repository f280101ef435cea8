/** Programs with debug information, on whose addresses tables are compared with what other tools say. */
import type { Program } from '@fleetflame/elf/testing';

const SHAPES_H = `
#pragma once
#include <algorithm>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>
namespace shop {
template <typename T> struct Range {
  T low, high;
  Range(T a, T b) : low(std::min(a, b)), high(std::max(a, b)) {
    if (low == high) throw std::invalid_argument("empty");
  }
  T clamp(T value) const { return value < low ? low : value > high ? high : value; }
};
struct Item {
  virtual ~Item() = default;
  virtual long price(int count) const = 0;
};
struct Fruit : Item {
  std::vector<int> prices;
  explicit Fruit(std::vector<int> all) : prices(std::move(all)) {}
  long price(int count) const override {
    long sum = 0;
    for (int one : prices) sum += Range<int>(1, one + 2).clamp(one) * count;
    return sum;
  }
};
class Ledger {
 public:
  void note(const std::string &what, long amount) { entries_[what].push_back(amount); }
  long total() const;
 private:
  std::map<std::string, std::vector<long>> entries_;
};
}
`;

const LEDGER_CPP = `
#include "shapes.h"
namespace shop {
namespace {
long sum(const std::vector<long> &all) {
  long result = 0;
  for (long one : all) result += Range<long>(0, 1000).clamp(one);
  return result;
}
}
static long helper(long n) { return n % 7 + 1; }
long Ledger::total() const {
  long result = 0;
  for (const auto &[what, amounts] : entries_) {
    try {
      result += sum(amounts) * helper(static_cast<long>(what.size()));
    } catch (const std::exception &error) {
      result -= static_cast<long>(std::string(error.what()).size());
    }
  }
  return result;
}
}
`;

const MAIN_CPP = `
#include <cstdio>
#include "shapes.h"
static long helper(long n) { return n * 3 - 1; }
#define TWICE(x) ((x) + \\
  helper(x))
template <int N> struct Power { static long of(long n) { return n * Power<N - 1>::of(n); } };
template <> struct Power<0> { static long of(long) { return 1; } };
int main(int argc, char **argv) {
  shop::Ledger ledger;
  std::vector<std::unique_ptr<shop::Item>> items;
  for (int i = 0; i < argc + 3; i++) items.push_back(std::make_unique<shop::Fruit>(std::vector<int>{i, i * 2, 9 - i}));
  std::sort(items.begin(), items.end(), [](const auto &a, const auto &b) { return a->price(2) < b->price(2); });
  for (const auto &item : items) {
    try {
      ledger.note(argv[0], TWICE(item->price(argc)));
      ledger.note("power", Power<4>::of(item->price(1)));
    } catch (const std::invalid_argument &error) {
      std::fputs(error.what(), stderr);
    }
  }
  std::printf("%ld\\n", ledger.total());
  return 0;
}
`;

const RUST_SOURCE = `
use std::collections::HashMap;
#[derive(Debug, Clone)]
struct Order { id: u32, items: Vec<String> }
trait Priced { fn price(&self) -> u64; }
impl Priced for Order {
    fn price(&self) -> u64 { self.items.iter().map(|item| item.len() as u64 * 3).sum() }
}
mod cart {
    #[inline(never)]
    pub fn fold<T: super::Priced>(all: &[T]) -> u64 { all.iter().filter(|one| one.price() > 2).map(|one| one.price()).sum() }
}
fn main() {
    let mut names: HashMap<String, Vec<Order>> = HashMap::new();
    for (id, word) in std::env::args().enumerate() {
        let items = word.split('/').map(str::to_owned).collect();
        names.entry(word.clone()).or_default().push(Order { id: id as u32, items });
    }
    let mut all: Vec<Order> = names.values().flatten().cloned().collect();
    all.sort_by_key(|order| (order.items.len(), order.id));
    println!("{} {:?}", cart::fold(&all), all.first());
}
`;

const CPP_FILES = { 'shapes.h': SHAPES_H, 'ledger.cpp': LEDGER_CPP, 'main.cpp': MAIN_CPP };

function cpp(compiler: 'g++' | 'clang++', ...flags: string[]): Program {
  return {
    files: CPP_FILES,
    command: [compiler, '-std=c++17', ...flags, 'ledger.cpp', 'main.cpp', '-Wl,--build-id', '-o', 'out'],
  };
}

/** Compiles, then changes the sections of the result. */
function packed(program: Program, how: 'zlib' | 'zstd'): Program {
  const [command, ...args] = program.command;
  const words = [command, ...args].map((word) => `'${word}'`).join(' ');
  return {
    files: program.files,
    command: ['sh', '-c', `${words} && objcopy --compress-debug-sections=${how} out`],
  };
}

export const DEBUG_PROGRAMS = {
  'gcc, DWARF 5': cpp('g++', '-O2', '-g', '-gdwarf-5'),
  'gcc, DWARF 4': cpp('g++', '-O2', '-g', '-gdwarf-4'),
  'gcc, DWARF 5, zlib': packed(cpp('g++', '-O2', '-g', '-gdwarf-5'), 'zlib'),
  'gcc, DWARF 5, zstd': packed(cpp('g++', '-O2', '-g', '-gdwarf-5'), 'zstd'),
  'gcc, LTO': cpp('g++', '-O2', '-g', '-flto'),
  'gcc, -O3, sections': cpp('g++', '-O3', '-g', '-ffunction-sections', '-Wl,--gc-sections'),
  'clang, DWARF 5': cpp('clang++', '-O2', '-g', '-gdwarf-5'),
  'clang, DWARF 4, type units': cpp('clang++', '-O2', '-g', '-gdwarf-4', '-fdebug-types-section'),
  'clang, -O1, ranges': cpp('clang++', '-O1', '-g', '-gdwarf-5', '-ffunction-sections'),
  'gcc, lines only': cpp('g++', '-O2', '-g1'),
  'clang, lines only': cpp('clang++', '-O2', '-gline-tables-only'),
} satisfies Readonly<Record<string, Program>>;

/** Names of Rust in its old and its new form. */
export const RUST_PROGRAMS = {
  'rustc, legacy names': rust(),
  'rustc, v0 names': rust('-Csymbol-mangling-version=v0'),
} satisfies Readonly<Record<string, Program>>;

function rust(...flags: string[]): Program {
  return {
    files: { 'main.rs': RUST_SOURCE },
    command: ['rustc', '-O', '-g', ...flags, '-Clink-arg=-Wl,--build-id', 'main.rs', '-o', 'out'],
  };
}
