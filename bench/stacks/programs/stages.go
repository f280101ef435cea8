// SPDX-License-Identifier: Apache-2.0

// What Go programs do to stacks: deep recursion that moves the stack, channels, interfaces, defers and
// recovered panics, system calls, signals (the runtime preempts with them). Runs until it is killed.
package main

import (
	"fmt"
	"os"
	"sort"
	"strings"
)

type shape interface{ area(depth int) int }
type leaf struct{ size int }
type pair struct{ left, right shape }

//go:noinline
func (l leaf) area(depth int) int {
	sum := l.size
	for i := 0; i < 200; i++ {
		sum ^= i * depth
	}
	return sum
}

//go:noinline
func (p pair) area(depth int) int { return p.left.area(depth+1) + p.right.area(depth+1) }

func grow(levels int) shape {
	if levels == 0 {
		return leaf{7}
	}
	return pair{grow(levels - 1), grow(levels - 1)}
}

//go:noinline
func descend(levels int) int {
	var room [64]byte
	if levels == 0 {
		return texts()
	}
	return descend(levels-1) + int(room[levels%64])
}

func texts() int {
	counts := map[string]int{}
	for i := 0; i < 500; i++ {
		counts[fmt.Sprintf("key %d", i%37)] += i
	}
	keys := make([]string, 0, len(counts))
	for key := range counts {
		keys = append(keys, strings.ToUpper(key))
	}
	sort.Slice(keys, func(i, j int) bool { return keys[i] < keys[j] })
	return len(keys)
}

//go:noinline
func recovered(levels int) (result int) {
	defer func() {
		if recover() != nil {
			result = 1
		}
	}()
	if levels == 0 {
		panic("deep")
	}
	return recovered(levels-1) + 1
}

func systemCalls() int {
	bytes := make([]byte, 1)
	file, err := os.Open("/dev/zero")
	if err != nil {
		return 0
	}
	defer file.Close()
	sum := 0
	for i := 0; i < 100; i++ {
		n, _ := file.Read(bytes)
		sum += n
	}
	return sum
}

func work(results chan<- int) {
	for {
		results <- grow(8).area(0) + descend(60) + recovered(10) + systemCalls()
	}
}

func main() {
	results := make(chan int)
	for i := 0; i < 3; i++ {
		go work(results)
	}
	for range results {
	}
}
