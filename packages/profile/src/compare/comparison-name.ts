/**
 * What two builds call the same function and the same binary: names without what compilers and virtual machines
 * invent anew with each build or start. Names are never made equal by guessing: each rule takes away a part whose
 * form says that it is invented.
 */

/** GCC and LLVM: copies and parts of functions, also as c++filt writes them. */
const COMPILER_SUFFIX =
  /(?:\.(?:constprop|isra|part|lto_priv|llvm)\.\d+|\.cold(?:\.\d+)?| \[clone \.(?:constprop|isra|part|lto_priv|llvm|cold)(?:\.\d+)?\])$/;
/** Rust's legacy mangling: a hash of the crate's content. */
const RUST_HASH = /::h[0-9a-f]{16}$/;
/** Where a function of V8 begins, when the name is that of its perf map. */
const V8_POSITION = /^((?:JS|LazyCompile|Function|Script|Eval|RegExp|Builtin):.*?)(?::\d+){1,2}$/;
/** Classes that the JVM makes when it runs: numbers and addresses differ at each start. */
const JAVA_LAMBDA = /\$\$Lambda(?:\$\d+)?(?:[/.](?:0x)?[0-9a-f]+)?/g;
const JAVA_FORM = /(LambdaForm\$[A-Z]+)[/.](?:0x)?[0-9a-f]+/g;
const JAVA_ACCESSOR = /(Generated(?:Method|Constructor|SerializationConstructor)Accessor)\d+/g;
const GO_SHAPE = '[go.shape.';

/** The name without the parts that differ from build to build. Go's `.func1` chains stay: they tell closures apart. */
export function comparisonName(name: string): string {
  let short = withoutGoShapes(name);
  for (;;) {
    const cut = short.replace(COMPILER_SUFFIX, '').replace(RUST_HASH, '');
    if (cut === short || cut === '') break;
    short = cut;
  }
  if (short.includes('$')) {
    short = short.replace(JAVA_LAMBDA, '$$$$Lambda').replace(JAVA_FORM, '$1');
  }
  if (short.includes('Accessor')) short = short.replace(JAVA_ACCESSOR, '$1');
  return short.replace(V8_POSITION, '$1');
}

/** `Map[go.shape.string,go.shape.struct { a [2]int }]` → `Map[...]`, as Go's own pprof writes it. */
function withoutGoShapes(name: string): string {
  let out = name;
  for (let start = out.indexOf(GO_SHAPE); start >= 0; start = out.indexOf(GO_SHAPE, start + 1)) {
    let depth = 0;
    let end = start;
    for (; end < out.length; end++) {
      if (out[end] === '[') depth++;
      else if (out[end] === ']' && --depth === 0) break;
    }
    // Cut off in the middle: as it is.
    if (depth > 0) return out;
    out = `${out.slice(0, start)}[...]${out.slice(end + 1)}`;
  }
  return out;
}

/** libc.so.6, libc-2.36.so */
const SO_VERSION = /^(.+?)(?:[-_]v?\d+(?:\.\d+)*)?\.so(?:\.\d+)*$/;
/** server-1.2.3, api_v412, python3.11; a number alone is part of a name: md5, x264. */
const TRAILING_VERSION = /(?:[-_@]v?\d+(?:\.\d+)*|\d+(?:\.\d+)+)$/;

/** The binary's base name without its version. */
export function binaryFamily(binary: string): string {
  const so = SO_VERSION.exec(binary)?.[1];
  if (so !== undefined) return `${so}.so`;
  const family = binary.replace(TRAILING_VERSION, '');
  return family === '' ? binary : family;
}
