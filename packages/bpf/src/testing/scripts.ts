/** Endless work in interpreters: calls, text, sorting, garbage, their own C libraries. */
export const SCRIPTS = {
  python: `
import json, re
def fib(n): return n if n < 2 else fib(n - 1) + fib(n - 2)
while True:
    fib(15); json.loads(json.dumps({"a": [1, 2, 3] * 100})); re.findall(r"(a|b)+c", "ababc" * 100); sorted(range(5000), key=lambda x: -x)
`,
  perl: 'sub f { my $n = shift; $n < 2 ? $n : f($n-1) + f($n-2) } while (1) { f(12); my %h; $h{$_ % 97}++ for 1..5000; ("ab" x 1000) =~ /(a|b)+c/ }',
  node: `
const zlib = require('node:zlib'), bytes = Buffer.alloc(1 << 18, 'abcdef');
const fib = (n) => (n < 2 ? n : fib(n - 1) + fib(n - 2));
for (;;) { zlib.gzipSync(bytes); fib(20); JSON.parse(JSON.stringify(Array.from({ length: 5000 }, (_, i) => ({ i })))); }
`,
  sql: 'with recursive c(x) as (select 1 union all select x + 1 from c) select sum(x) from (select x from c limit 1000000000) where x % 3 = 0;',
} as const;
