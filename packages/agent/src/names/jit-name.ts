/** A function of JIT code, and where in it an address is. */
export interface JitFrame {
  readonly name: string;
  readonly filename: string;
  /** 0 when it is not known. */
  readonly startLine: number;
  /** Of the address; startLine when only that is known. */
  readonly line: number;
  /** It is run by an interpreter, not compiled. */
  readonly interpreted: boolean;
}

/**
 * V8: "JS:*parse /srv/app.js:12:5". The mark says what runs: ~ bytecode (the interpreter; its code is this
 * function's own only with --interpreted-frames-native-stack), ^ baseline, + mid-tier and * optimising compiler; and
 * "'" that it is good for one closure only.
 */
const V8 = /^(?:JS|LazyCompile|Function|Script|Eval|RegExp|Handler):([~^+*]?'?)(.*)$/s;
const V8_PLACE = /^(.*?) ?((?:file:\/\/|node:|wasm:|\/|\.|[A-Za-z]:\\)[^ ].*?|[^ ]+):(\d+):(\d+)$/s;

/**
 * Takes a perf-map name apart. A V8 function keeps its name through all its compilers, so that a flame graph
 * has one frame for it. Other runtimes' names stay as they are.
 */
export function parseJitName(text: string): JitFrame {
  const [, mark = '', v8] = V8.exec(text) ?? [];
  if (v8 === undefined) return { name: text, filename: '', startLine: 0, line: 0, interpreted: false };
  const interpreted = mark.startsWith('~');
  const [, name = v8, filename = '', line = '0'] = V8_PLACE.exec(v8) ?? [];
  const startLine = Number(line);
  return { name: name.trim() || '(anonymous)', filename, startLine, line: startLine, interpreted };
}
