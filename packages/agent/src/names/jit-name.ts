export interface JitFunction {
  readonly name: string;
  readonly filename: string;
  readonly startLine: number;
}

/**
 * V8: "JS:*parse /srv/app.js:12:5". The mark says which compiler made it (~ bytecode, ^ + * compiled), and "'" that it is
 * good for one closure only.
 */
const V8 = /^(?:JS|LazyCompile|Function|Script|Eval|RegExp|Handler):([~^+*]?'?)(.*)$/s;
const V8_PLACE = /^(.*?) ?((?:file:\/\/|node:|wasm:|\/|\.|[A-Za-z]:\\)[^ ].*?|[^ ]+):(\d+):(\d+)$/s;

/**
 * Takes a perf-map name apart. A V8 function keeps its name through all its compilers, so that a flame graph
 * has one frame for it. Other runtimes' names stay as they are.
 */
export function parseJitName(text: string): JitFunction {
  const v8 = V8.exec(text);
  if (v8?.[2] === undefined) return { name: text, filename: '', startLine: 0 };
  const place = V8_PLACE.exec(v8[2]);
  if (place === null) return { name: v8[2].trim() || '(anonymous)', filename: '', startLine: 0 };
  const [, name = '', filename = '', line = '0'] = place;
  return { name: name.trim() || '(anonymous)', filename, startLine: Number(line) };
}
