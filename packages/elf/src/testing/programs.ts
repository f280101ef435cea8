/** Small programs, built by this machine's compilers, on which readers of binaries are tested. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Program {
  readonly files: Readonly<Record<string, string>>;
  /** Writes its result to ./out. */
  readonly command: readonly [string, ...string[]];
}

const C_SOURCE = `
static int twice(int n) { return n * 2; }
__attribute__((noinline)) static int local_function(int n) { return twice(n) + 1; }
__attribute__((noinline)) int global_function(int n) { return local_function(n) * 3; }
__attribute__((weak, noinline)) int weak_function(int n) { return n - 1; }
int alias_function(int n) __attribute__((alias("global_function")));
static int fast(int n) { return n + 4; }
static int (*choose(void))(int) { return fast; }
int chosen_function(int n) __attribute__((ifunc("choose")));
__asm__(".text\\n.globl asm_function\\nasm_function:\\n nop\\n nop\\n ret\\n");
void asm_function(void);
int main(int argc, char **argv) {
  (void)argv;
  asm_function();
  return global_function(argc) + weak_function(argc) + alias_function(argc) + chosen_function(argc);
}
`;

const CPP_SOURCE = `
#include <cstdio>
#include <map>
#include <string>
#include <vector>
namespace shop::cart {
template <typename T> struct Basket {
  std::vector<T> items;
  __attribute__((noinline)) void add(const T &item) { items.push_back(item); }
  __attribute__((noinline)) bool operator<(const Basket &other) const { return items.size() < other.items.size(); }
};
class Order {
 public:
  explicit Order(int id) : id_(id) {}
  virtual ~Order() { std::puts("bye"); }
  __attribute__((noinline)) virtual std::string describe(const std::map<std::string, int> &prices) const {
    return std::to_string(id_ + static_cast<int>(prices.size()));
  }
 private:
  int id_;
};
namespace {
__attribute__((noinline)) int hidden(const Order &order) { return static_cast<int>(order.describe({}).size()); }
}
}
int main(int argc, char **) {
  shop::cart::Basket<std::string> a, b;
  a.add("x");
  auto f = [argc](int n) { return n + argc; };
  shop::cart::Order order(f(2));
  return shop::cart::hidden(order) + (a < b);
}
`;

const GO_SOURCE = `package main

import (
	"fmt"
	"os"
	"strings"
)

type stack[T any] struct{ items []T }

//go:noinline
func (s *stack[T]) push(item T) { s.items = append(s.items, item) }

//go:noinline
func handle(n int) int {
	double := func(k int) int { return inlined(k) * n }
	return double(n)
}

func inlined(n int) int { return n + 1 }

func main() {
	s := &stack[string]{}
	s.push(strings.Repeat("x", len(os.Args)))
	fmt.Println(handle(len(os.Args)), s.items)
}
`;

/** The Go on PATH: 19 of go1.19.8; builds are kept per release. */
export const GO_RELEASE = Number(
  /go1\.(\d+)/.exec(execFileSync('go', ['version'], { encoding: 'utf8' }))?.[1] ?? 0,
);
/** It gives programs a build id of GNU's kind too, unless told otherwise. */
const GNU_IDS_SINCE = 24;

function goProgram(...flags: string[]): Program {
  return {
    files: { 'main.go': GO_SOURCE, 'go.mod': 'module example.test/shop\n\ngo 1.19\n' },
    command: ['go', 'build', '-trimpath', ...flags, '-o', 'out', '.'],
  };
}

export const PROGRAMS = {
  c: { files: { 'main.c': C_SOURCE }, command: ['gcc', '-O1', '-g', 'main.c', '-o', 'out'] },
  cStripped: {
    files: { 'main.c': C_SOURCE },
    command: ['gcc', '-O1', '-s', '-rdynamic', 'main.c', '-o', 'out'],
  },
  cWithoutId: {
    files: { 'main.c': C_SOURCE },
    command: ['gcc', '-O1', '-Wl,--build-id=none', 'main.c', '-o', 'out'],
  },
  cpp: { files: { 'main.cpp': CPP_SOURCE }, command: ['g++', '-std=c++17', '-O1', 'main.cpp', '-o', 'out'] },
  go: goProgram(),
  goWithoutGnuId: goProgram(...(GO_RELEASE < GNU_IDS_SINCE ? [] : ['-ldflags=-B none'])),
  goStripped: goProgram('-ldflags=-s -w'),
  goPie: goProgram('-buildmode=pie'),
  goPieStripped: goProgram('-buildmode=pie', '-ldflags=-s -w'),
  goExternal: goProgram('-ldflags=-linkmode=external'),
  goExternalPieStripped: goProgram('-buildmode=pie', '-ldflags=-linkmode=external -s -w'),
} satisfies Readonly<Record<string, Program>>;

/** Path of the built program; built once per source and command on a machine. */
export function buildProgram(program: Program): string {
  const key = createHash('sha256')
    .update(JSON.stringify([program, GO_RELEASE]))
    .digest('hex')
    .slice(0, 16);
  const cache = join(tmpdir(), 'fleetflame-test-programs');
  mkdirSync(cache, { recursive: true });
  const built = join(cache, key);
  if (existsSync(built)) return built;
  const folder = mkdtempSync(join(cache, 'build-'));
  try {
    for (const [name, text] of Object.entries(program.files)) writeFileSync(join(folder, name), text);
    const [command, ...args] = program.command;
    execFileSync(command, args, {
      cwd: folder,
      stdio: ['ignore', 'ignore', 'pipe'],
      env: {
        ...process.env,
        GOCACHE: join(cache, 'go'),
        GOFLAGS: '-mod=mod',
        GOPROXY: 'off',
        GO111MODULE: 'on',
      },
    });
    renameSync(join(folder, 'out'), built);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return built;
}
