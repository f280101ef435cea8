// SPDX-License-Identifier: Apache-2.0

// Go that calls C that calls Go: every call changes the stack. Runs until it is killed.
package main

/*
extern long fromC(long n);

static volatile long sink;
static long inC(long n) {
	for (int i = 0; i < 20000; i++) sink += i;
	return fromC(n) + sink;
}
*/
import "C"

//export fromC
func fromC(n C.long) C.long {
	sum := C.long(0)
	for i := C.long(0); i < 20000; i++ {
		sum ^= i * n
	}
	return sum
}

func main() {
	sum := C.long(0)
	for {
		sum += C.inC(sum)
	}
}
