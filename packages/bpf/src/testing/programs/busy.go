// SPDX-License-Identifier: Apache-2.0

// Allocates, sorts and calls deeply in two goroutines, until it is killed.
package main

import "sort"

type node struct{ left, right *node }

//go:noinline
func grow(levels int) *node {
	if levels == 0 {
		return &node{}
	}
	return &node{grow(levels - 1), grow(levels - 1)}
}

//go:noinline
func work() {
	for {
		grow(12)
		numbers := make([]int, 0)
		for i := 0; i < 2000; i++ {
			numbers = append(numbers, i*7919%1000)
		}
		sort.Ints(numbers)
	}
}

func main() {
	go work()
	work()
}
