// SPDX-License-Identifier: Apache-2.0

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.zip.Deflater;

/** Interpreted and compiled code, virtual calls, recursion, garbage, native calls. Runs until it is killed. */
public final class Stages {
    interface Shape {
        long area(int depth);
    }

    record Leaf(long size) implements Shape {
        public long area(int depth) {
            long sum = size;
            for (int i = 0; i < 200; i++) sum ^= (long) i * depth;
            return sum;
        }
    }

    record Pair(Shape left, Shape right) implements Shape {
        public long area(int depth) {
            return left.area(depth + 1) + right.area(depth + 1);
        }
    }

    static volatile long sink;

    static Shape grow(int levels) {
        return levels == 0 ? new Leaf(7) : new Pair(grow(levels - 1), grow(levels - 1));
    }

    static int descend(int levels) {
        return levels == 0 ? texts() : descend(levels - 1) + 1;
    }

    static int texts() {
        Map<String, Integer> counts = new HashMap<>();
        for (int i = 0; i < 500; i++) counts.merge("key " + i % 37, i, Integer::sum);
        List<String> sorted = new ArrayList<>(counts.keySet());
        sorted.sort((a, b) -> counts.get(b) - counts.get(a));
        return sorted.size() + IntStream.range(0, 300).boxed().collect(Collectors.groupingBy(n -> n % 7)).size();
    }

    static int compressed(byte[] bytes, byte[] out) {
        Deflater deflater = new Deflater();
        deflater.setInput(bytes);
        deflater.finish();
        int length = deflater.deflate(out);
        deflater.end();
        return length;
    }

    static void work() {
        byte[] bytes = new byte[1 << 16];
        for (int i = 0; i < bytes.length; i++) bytes[i] = (byte) (i * i >> 7);
        byte[] out = new byte[1 << 16];
        for (;;) sink += grow(8).area(0) + descend(50) + compressed(bytes, out);
    }

    public static void main(String[] args) {
        new Thread(Stages::work).start();
        work();
    }
}
