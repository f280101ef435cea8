import { fileText } from './file-text.ts';
import type { ImportChanges } from './import-changes.ts';
import { brokenFile, quoted, tooLargeFile } from './import-error.ts';
import type { ImportLimits } from './limits.ts';

export type JsonObject = Readonly<Record<string, unknown>>;

/** The JSON value in a file. Throws invalid_input, limit_exceeded. */
export function parseJsonFile(
  format: string,
  bytes: Uint8Array,
  limits: ImportLimits,
  changes: ImportChanges,
): unknown {
  if (bytes.length > limits.jsonBytes)
    throw tooLargeFile(format, 'bytes of JSON', limits.jsonBytes, 'jsonBytes');
  const text = fileText(bytes, changes);
  try {
    return JSON.parse(text);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    const cut = /end of (?:JSON )?(?:input|data)|unterminated/i.test(reason) ? ': it is cut short' : '';
    throw brokenFile(format, `it is no JSON${cut} (${quoted(reason).slice(1, -1)})`);
  }
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

export function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

export function numberOf(value: unknown): number | undefined {
  return typeof value === 'number' ? value : undefined;
}
