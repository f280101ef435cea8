/** Programs of Go: made in each way in which Go links by the `go` on PATH, and shipped ones that npm brought. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

const SOURCE = `package main

import (
	"fmt"
	"sort"
)

//go:noinline
func work(n int) int {
	numbers := make([]int, n)
	for i := range numbers {
		numbers[i] = i * 7919 % 1000
	}
	sort.Ints(numbers)
	return numbers[n/2]
}

func main() {
	for i := 0; ; i++ {
		if work(200+i%800) < 0 {
			fmt.Println(i)
		}
	}
}
`;
/** Alternates between C and Go: C's code is before Go's, and .text begins with it. */
const WITH_C = SOURCE.replace(
  'import (',
  `/*
static int twice(int n) { int sum = 0; for (int i = 0; i < 20000; i++) sum += i ^ n; return sum | 1; }
*/
import "C"

import (`,
).replace('work(200+i%800) < 0', 'work(200+i%800) + int(C.twice(C.int(i))) == 0');

const STRIPPED = '-s -w';
/** Source, and options of `go build`. */
const BUILDS: Readonly<Record<string, readonly [source: string, ...options: string[]]>> = {
  stripped: [SOURCE, `-ldflags=${STRIPPED}`],
  'stripped, position-independent': [SOURCE, '-buildmode=pie', `-ldflags=${STRIPPED}`],
  'stripped, with C': [WITH_C, `-ldflags=${STRIPPED}`],
  'stripped, with C, position-independent': [WITH_C, '-buildmode=pie', `-ldflags=${STRIPPED}`],
  'stripped, with C, static': [WITH_C, `-ldflags=-linkmode=external -extldflags=-static ${STRIPPED}`],
  'stripped, with C, static, position-independent': [
    WITH_C,
    '-buildmode=pie',
    `-ldflags=-linkmode=external -extldflags=-static-pie ${STRIPPED}`,
  ],
  'stripped, linked by C': [SOURCE, `-ldflags=-linkmode=external ${STRIPPED}`],
  'a library for C': [WITH_C, '-buildmode=c-shared', `-ldflags=${STRIPPED}`],
};

/** Name → path, for each way that the `go` on PATH can. */
export function buildGoPrograms(directory: string): Map<string, string> {
  const built = new Map<string, string>();
  for (const [name, [source, ...options]] of Object.entries(BUILDS)) {
    const folder = join(directory, name.replaceAll(/\W+/g, '-'));
    mkdirSync(folder);
    writeFileSync(join(folder, 'main.go'), source);
    writeFileSync(join(folder, 'go.mod'), 'module example.test/work\n\ngo 1.19\n');
    execFileSync('go', ['build', ...options, '-o', 'out', '.'], { cwd: folder, stdio: 'inherit' });
    built.set(name, join(folder, 'out'));
  }
  return built;
}

/**
 * Programs of Go 1.26 and later that are here anyhow, as what this project is checked with: any machine has them, also
 * one whose own Go is older. Undefined: not shipped for this platform.
 */
export function shippedGoPrograms(): [name: string, path: string | undefined][] {
  const root = createRequire(new URL('../../../../package.json', import.meta.url));
  const platform = `${process.platform}-${process.arch}`;
  const places = [
    ['typescript', `@typescript/typescript-${platform}/package.json`, 'lib/tsc'],
    ['oxlint-tsgolint', `@oxlint-tsgolint/${platform}/package.json`, 'tsgolint'],
  ] as const;
  return places.map(([owner, manifest, file]) => {
    try {
      const from = createRequire(root.resolve(`${owner}/package.json`));
      const path = join(dirname(from.resolve(manifest)), file);
      return [owner, existsSync(path) ? path : undefined];
    } catch {
      return [owner, undefined];
    }
  });
}
