/**
 * One chunk of a recording, which stands for itself: header, events, among them its types (metadata) and
 * its constants (checkpoints). Constants are looked up by (type, key) and parsed when first needed.
 *
 *   "FLR\0" major minor size pools metadata start duration ticks ticks/s features
 *   size type …                    an event: its fields as the metadata says
 *   size 0 … / size 1 …            metadata / constants
 *
 * Facts from the JDK's own reader; the format has no other description.
 */
import { brokenFile } from '../import-error.ts';
import type { JfrBytes, PooledString } from './jfr-bytes.ts';
import { readClasses } from './jfr-classes.ts';
import type { JfrClass, JfrField } from './jfr-classes.ts';

const HEADER_BYTES = 68;
const METADATA = 0;
const CHECKPOINT = 1;
/** Values inside of values. */
const MOST_DEPTH = 16;

/** Fields of a value in the order of its class, items of an array, a number or a text. */
export type JfrValue = number | string | PooledString | readonly JfrValue[];

export interface JfrObject {
  readonly class: JfrClass;
  readonly values: readonly JfrValue[];
}

export class JfrChunk {
  /** Unix milliseconds. */
  readonly startMs: number;
  readonly durationMs: number;
  readonly #startTicks: number;
  readonly #ticksPerMs: number;
  /** One past its last byte. */
  readonly end: number;
  readonly #bytes: JfrBytes;
  readonly #first: number;
  #classes: ReadonlyMap<number, JfrClass> = new Map();
  /** By type and key, where the constant lies. */
  readonly #pools = new Map<number, Map<number, number>>();
  /** Values read: arrays of things without fields could say any number of them. */
  #work = 0;
  readonly #mostWork: number;

  constructor(bytes: JfrBytes, at: number, fileBytes: number) {
    this.#bytes = bytes;
    bytes.limit = fileBytes;
    bytes.position = at;
    if (bytes.left < HEADER_BYTES || bytes.u32() !== 0x464c_5200) {
      throw brokenFile('jfr', 'a chunk begins with FLR', `byte ${at}`);
    }
    const major = bytes.u16();
    bytes.u16();
    if (major !== 2) throw brokenFile('jfr', `it has version ${major}, version 2 is read (JDK 11 and later)`);
    const size = bytes.u64();
    const poolsAt = bytes.u64();
    const metadataAt = bytes.u64();
    this.startMs = Math.floor(bytes.u64() / 1e6);
    this.durationMs = bytes.u64() / 1e6;
    this.#startTicks = bytes.u64();
    this.#ticksPerMs = bytes.u64() / 1000;
    bytes.compressed = (bytes.u32() & 1) === 1;
    this.end = at + size;
    this.#mostWork = FREE_WORK + 4 * size;
    if (size < HEADER_BYTES || metadataAt === 0 || poolsAt === 0) {
      throw brokenFile(
        'jfr',
        'its chunk was not finished: stop the recording, or dump it (jcmd PID JFR.dump)',
      );
    }
    if (this.end > fileBytes || metadataAt >= size) throw brokenFile('jfr', 'it is cut short');
    bytes.limit = this.end;
    this.#first = at + HEADER_BYTES;
    bytes.position = at + metadataAt;
    bytes.int();
    if (bytes.long() !== METADATA) throw brokenFile('jfr', 'its metadata are not where the header says');
    this.#classes = readClasses(bytes);
    this.#readPools();
  }

  /** Unix ms of a time in ticks; one that is not of the chunk is its nearest end. */
  msOf(ticks: number): number {
    const after = this.#ticksPerMs > 0 ? (ticks - this.#startTicks) / this.#ticksPerMs : 0;
    return this.startMs + Math.min(Math.max(0, after), this.durationMs);
  }

  /** Calls `event` with each event of a class of the names given. */
  eachEvent(names: ReadonlySet<string>, event: (object: JfrObject) => void): void {
    const wanted = new Map([...this.#classes].filter(([, { name }]) => names.has(name)));
    this.#eachRecord((type) => {
      const found = wanted.get(type);
      if (found === undefined) return;
      const object = { class: found, values: this.#struct(found, 0) };
      // What it refers to lies elsewhere in the chunk.
      this.#bytes.limit = this.end;
      event(object);
    });
  }

  /** Number of events of each class, by name. */
  countEvents(): ReadonlyMap<string, number> {
    const counts = new Map<string, number>();
    this.#eachRecord((type) => {
      const name = this.#classes.get(type)?.name;
      if (name !== undefined) counts.set(name, (counts.get(name) ?? 0) + 1);
    });
    return counts;
  }

  /** A field as it is, undefined when the class has none of the name. */
  field({ class: { fields }, values }: JfrObject, name: string): JfrValue | undefined {
    const index = fields.findIndex((field) => field.name === name);
    return index < 0 ? undefined : values[index];
  }

  /** The object that a field of an object holds or refers to. */
  object(object: JfrObject, name: string): JfrObject | undefined {
    const index = object.class.fields.findIndex((field) => field.name === name);
    const field = object.class.fields[index];
    const value = object.values[index];
    if (field === undefined || value === undefined) return undefined;
    const type = this.#classes.get(field.type);
    if (type === undefined) return undefined;
    if (!field.pooled) return Array.isArray(value) ? { class: type, values: value } : undefined;
    return typeof value === 'number' ? this.#constant(type, value) : undefined;
  }

  /** The objects of an array field. */
  objects(object: JfrObject, name: string): readonly JfrObject[] {
    const field = object.class.fields.find((it) => it.name === name);
    const value = this.field(object, name);
    const type = field === undefined ? undefined : this.#classes.get(field.type);
    if (type === undefined || !Array.isArray(value)) return [];
    return value.flatMap((item: JfrValue) => (Array.isArray(item) ? [{ class: type, values: item }] : []));
  }

  /** The key of a pooled field. */
  key(object: JfrObject, name: string): number {
    const value = this.field(object, name);
    return typeof value === 'number' ? value : 0;
  }

  /** The text of a field: as it is, or a Symbol's. */
  text(object: JfrObject | undefined, name: string): string {
    if (object === undefined) return '';
    const value = this.field(object, name);
    if (typeof value === 'string') return value;
    if (typeof value === 'object' && 'key' in value) return this.#pooledString(value.key);
    const symbol = this.object(object, name);
    return symbol === undefined ? '' : this.text(symbol, 'string');
  }

  #pooledString(key: number): string {
    for (const type of this.#classes.values()) {
      if (type.name !== 'java.lang.String') continue;
      const at = this.#pools.get(type.id)?.get(key);
      if (at === undefined) return '';
      this.#bytes.position = at;
      const text = this.#bytes.string();
      return typeof text === 'string' ? text : '';
    }
    return '';
  }

  #constant(type: JfrClass, key: number): JfrObject | undefined {
    const at = this.#pools.get(type.id)?.get(key);
    if (at === undefined) return undefined;
    this.#bytes.position = at;
    return { class: type, values: this.#struct(type, 0) };
  }

  #readPools(): void {
    const bytes = this.#bytes;
    this.#eachRecord((type) => {
      if (type !== CHECKPOINT) return;
      bytes.long();
      bytes.long();
      bytes.long();
      bytes.u8();
      for (let pools = bytes.count(); pools > 0; pools--) {
        const id = bytes.long();
        const constant = this.#classes.get(id);
        if (constant === undefined)
          throw brokenFile('jfr', `it has constants of a type ${id} that is not declared`);
        const pool = this.#pools.get(id) ?? new Map<number, number>();
        this.#pools.set(id, pool);
        for (let left = bytes.count(); left > 0; left--) {
          const key = bytes.long();
          pool.set(key, bytes.position);
          this.#value(constant, 0);
        }
      }
    });
  }

  /** Calls `record` with the type of each record; it may read what follows. */
  #eachRecord(record: (type: number) => void): void {
    const bytes = this.#bytes;
    for (let at = this.#first; at < this.end;) {
      bytes.limit = this.end;
      bytes.position = at;
      const size = bytes.int();
      if (size < bytes.position - at || at + size > this.end) {
        throw brokenFile('jfr', `a record says that it has ${size} bytes`, `byte ${at}`);
      }
      bytes.limit = at + size;
      at += size;
      record(bytes.long());
    }
    bytes.limit = this.end;
  }

  #struct(type: JfrClass, depth: number): JfrValue[] {
    return type.fields.map((field) => this.#field(field, depth));
  }

  #field(field: JfrField, depth: number): JfrValue {
    if (!field.isArray) return this.#item(field, depth);
    const items: JfrValue[] = [];
    for (let left = this.#bytes.count(); left > 0; left--) items.push(this.#item(field, depth));
    return items;
  }

  #item({ type, pooled }: JfrField, depth: number): JfrValue {
    if (pooled) return this.#bytes.long();
    const known = this.#classes.get(type);
    if (known === undefined) throw brokenFile('jfr', `it uses a type ${type} that is not declared`);
    return this.#value(known, depth);
  }

  #value(type: JfrClass, depth: number): JfrValue {
    const bytes = this.#bytes;
    if (depth > MOST_DEPTH) throw brokenFile('jfr', `the type ${type.name} is nested too deep`);
    if (++this.#work > this.#mostWork) throw brokenFile('jfr', 'it has too many values');
    switch (type.name) {
      case 'boolean':
      case 'byte':
        return bytes.u8();
      case 'short':
      case 'char':
        return bytes.short();
      case 'int':
        return bytes.int();
      case 'long':
        return bytes.long();
      case 'float':
        return bytes.u32();
      case 'double':
        return bytes.u64();
      case 'java.lang.String':
        return bytes.string();
      default:
        return this.#struct(type, depth + 1);
    }
  }
}

/** Values that a chunk may have beside four for each of its bytes: they are read a few times. */
const FREE_WORK = 1_000_000;
