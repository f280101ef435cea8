// SPDX-License-Identifier: Apache-2.0

//! What Rust programs do to stacks: trait objects, closures, deep recursion, caught panics (where panics
//! unwind), formatting, sorting, threads with channels. Runs until it is killed.
use std::collections::HashMap;
use std::ptr::read_volatile;
use std::sync::mpsc;
use std::thread;

/// The value, in a way that the optimiser does not see through. std has one from 1.66 on; Debian 12 has 1.63.
fn black_box<T: Copy>(value: T) -> T {
    // SAFETY: the pointer is that of a live, initialised value of a type that may be copied.
    unsafe { read_volatile(&value) }
}

trait Shape {
    fn area(&self, depth: u32) -> u64;
}

struct Leaf(u64);
struct Pair(Box<dyn Shape>, Box<dyn Shape>);

impl Shape for Leaf {
    #[inline(never)]
    fn area(&self, depth: u32) -> u64 {
        (0..200).fold(self.0, |sum, n| black_box(sum ^ (n * u64::from(depth))))
    }
}

impl Shape for Pair {
    #[inline(never)]
    fn area(&self, depth: u32) -> u64 {
        self.0.area(depth + 1).wrapping_add(self.1.area(depth + 1))
    }
}

fn grow(levels: u32) -> Box<dyn Shape> {
    if levels == 0 {
        return Box::new(Leaf(7));
    }
    Box::new(Pair(grow(levels - 1), grow(levels - 1)))
}

#[inline(never)]
fn descend(levels: u32) -> u64 {
    if levels == 0 {
        return (0..3000).fold(0, |sum, n| black_box(sum + n));
    }
    black_box(descend(levels - 1)) + 1
}

#[cfg(panic = "unwind")]
#[inline(never)]
fn panics() -> u64 {
    #[inline(never)]
    fn throwing(levels: u32) -> u64 {
        if levels == 0 {
            std::panic::panic_any(1u64);
        }
        black_box(throwing(levels - 1)) + 1
    }
    match std::panic::catch_unwind(|| throwing(10)) {
        Ok(n) => n,
        Err(_) => 1,
    }
}

#[cfg(not(panic = "unwind"))]
fn panics() -> u64 {
    0
}

#[inline(never)]
fn texts() -> usize {
    let mut counts: HashMap<String, usize> = HashMap::new();
    for n in 0..500 {
        *counts.entry(format!("key {}", n % 37)).or_insert(0) += n;
    }
    let mut sorted: Vec<_> = counts.into_iter().collect();
    sorted.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    sorted.len()
}

fn work() -> u64 {
    let shapes = grow(8);
    shapes.area(0) + descend(80) + panics() + texts() as u64
}

fn main() {
    std::panic::set_hook(Box::new(|_| {}));
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || loop {
        if sender.send(work()).is_err() {
            return;
        }
    });
    for sum in receiver {
        black_box(sum.wrapping_add(work()));
    }
}
