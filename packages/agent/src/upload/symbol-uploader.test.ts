import { execFileSync } from 'node:child_process';
import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Code, ConnectError, createClient } from '@connectrpc/connect';
import { FIRST_FILE_BINARY } from '@fleetflame/bpf';
import { ElfFile, bufferSource, compactElf, readDebugAltLink } from '@fleetflame/elf';
import { buildProgram, PROGRAMS, splitDebug } from '@fleetflame/elf/testing';
import { SymbolQuality, SymbolService } from '@fleetflame/proto/symbols/v1/symbols';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BinaryTable, OPEN_FILE_MS, binaryAddress } from '../binaries/binary-table.ts';
import { fileSource } from '../binaries/file-source.ts';
import { readVdso } from '../binaries/vdso.ts';
import { createTransport } from '../send/transport.ts';
import { IngestServer } from '../testing/ingest-server.ts';
import { SymbolServer, type KeptUpload } from '../testing/symbol-server.ts';
import { ASK_AGAIN_MS, LARGE_BYTES, SymbolUploader } from './symbol-uploader.ts';
import { PART_BYTES } from './send-upload.ts';
import type { UploadRules } from './upload-rules.ts';

const log = pino({ enabled: false });
const LIBC = readFileSync('/proc/self/maps', 'latin1').match(/\/\S*libc\.so\.6/)?.[0] ?? '';
let directory: string;
let server: IngestServer;
let symbols: SymbolServer;
let binaries: BinaryTable;
let uploader: SymbolUploader;
let url: string;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'fleetflame-symbols-'));
  symbols = new SymbolServer();
  server = new IngestServer((router) => symbols.routes(router));
  binaries = new BinaryTable();
  url = await server.listen();
  uploader = new SymbolUploader({
    client: createClient(SymbolService, createTransport(url)),
    binaries,
    vdso: readVdso(log),
    log,
    bytesPerSecond: 1e12,
  });
});
afterEach(async () => {
  await uploader.stop();
  binaries.close();
  await server.close();
  rmSync(directory, { recursive: true });
});

/** As if this process had a sample in the file. */
function sampled(path: string, id = FIRST_FILE_BINARY): string {
  const event = { id, path, buildId: '', pid: process.pid, start: 0n, end: 1n, fileOffset: 0n };
  binaries.add([event]);
  return binaries.get(id, process.pid, Date.now())?.buildId ?? '';
}

test('a binary is uploaded once, cut down to its symbols, also when its file is gone by then', async () => {
  const copy = join(directory, 'library.so');
  copyFileSync(LIBC, copy);
  const buildId = sampled(copy);
  rmSync(copy);
  const now = Date.now();
  uploader.offer([buildId], now);
  uploader.offer([buildId], now);
  await uploader.settled();
  uploader.offer([buildId], now + 1000);
  await uploader.settled();
  expect(symbols.asked).toEqual([buildId]);
  const upload = symbols.uploads.get(buildId);
  expect(upload?.fileName).toBe('library.so');
  const elf = ElfFile.parse(bufferSource(upload?.bytes ?? Buffer.alloc(0)));
  expect(elf.identity).toBe(buildId);
  expect(elf.section('.dynsym')?.size).toBeGreaterThan(1000);
  expect(uploader.counters).toMatchObject({ asked: 1, wanted: 1, uploaded: 1 });

  uploader.offer([buildId], now + ASK_AGAIN_MS + 60_000);
  await uploader.settled();
  expect(symbols.asked).toEqual([buildId, buildId]);
  expect(uploader.counters.uploaded).toBe(1);
});

const withRules = async (rules: UploadRules): Promise<SymbolUploader> => {
  await uploader.stop();
  const client = createClient(SymbolService, createTransport(url));
  uploader = new SymbolUploader({
    client,
    binaries,
    vdso: readVdso(log),
    log,
    bytesPerSecond: 1e12,
    rules,
  });
  return uploader;
};

describe('what may leave the host is said by rules', () => {
  test('off: nothing, not even a question', async () => {
    const strict = await withRules({ what: 'off', skip: [] });
    strict.offer([sampled(LIBC)], Date.now());
    await strict.settled();
    expect([symbols.asked, symbols.uploads.size]).toEqual([[], 0]);
  });

  test('nothing of binaries at paths that are left out, and all of others', async () => {
    const [secret, open] = ['secret.so', 'open.so'].map((name) => join(directory, name));
    copyFileSync(LIBC, secret ?? '');
    copyFileSync(process.execPath, open ?? '');
    const some = await withRules({ what: 'debug', skip: [`${directory}/sec*`] });
    const secretId = sampled(secret ?? '');
    const openId = sampled(open ?? '', FIRST_FILE_BINARY + 1);
    some.offer([secretId, openId], Date.now());
    await some.settled();
    expect([...symbols.uploads.keys()]).toEqual([openId]);
    expect(symbols.asked).not.toContain(secretId);
    expect(some.counters).toMatchObject({ withheld: 1, uploaded: 1 });
  });
});

test('the vDSO is uploaded though it is in no file', async () => {
  const { buildId } = readVdso(log);
  uploader.offer([buildId], Date.now());
  await uploader.settled();
  expect(symbols.uploads.get(buildId)?.fileName).toBe('[vdso]');
});

test('a server that fails is asked again at the next window', async () => {
  const buildId = sampled(LIBC);
  let failures = 2;
  symbols.before = () => {
    if (failures-- > 0) throw new ConnectError('later', Code.Unavailable);
  };
  for (let window = 0; window < 3; window++) {
    uploader.offer([buildId], Date.now());
    await uploader.settled();
  }
  expect(symbols.uploads.has(buildId)).toBe(true);
  expect(uploader.counters).toMatchObject({ errors: 2, uploaded: 1 });
});

test('a refusal, a file that is gone and a file without symbols are not tried again', async () => {
  const refused = sampled(LIBC);
  symbols.before = () => {
    throw new ConnectError('no', Code.InvalidArgument);
  };
  const gone = 'ab'.repeat(20);
  for (let window = 0; window < 2; window++) {
    uploader.offer([refused, gone], Date.now());
    await uploader.settled();
  }
  expect(symbols.asked).toEqual([refused, gone]);
  expect(uploader.counters).toMatchObject({ refused: 1, gone: 1, uploaded: 0, errors: 0 });
});

describe('debug information', () => {
  const whole = buildProgram(PROGRAMS.c);
  const buildId = ElfFile.parse(bufferSource(readFileSync(whole))).identity ?? '';
  let stripped: string;
  let debug: string;

  beforeEach(() => {
    ({ stripped, debug } = splitDebug(whole, directory, 'shop'));
  });

  async function offered(path: string): Promise<KeptUpload | undefined> {
    expect(sampled(path)).toBe(buildId);
    uploader.offer([buildId], Date.now());
    await uploader.settled();
    return symbols.uploads.get(buildId);
  }

  test('of the binary itself is uploaded', async () => {
    expect(await offered(whole)).toMatchObject({ quality: SymbolQuality.DWARF });
    expect(uploader.counters).toMatchObject({ uploaded: 1, uploadedDebug: 1, debugFiles: 0 });
  });

  test('of a separate file is uploaded with the binary, found by its name', async () => {
    const upload = await offered(stripped);
    expect(upload).toMatchObject({ quality: SymbolQuality.DWARF, fileName: 'shop' });
    const file = ElfFile.parse(bufferSource(upload?.bytes ?? Buffer.alloc(0)));
    expect(file.section('.debug_line')?.type).toBe(1);
    expect(file.section('.dynsym')?.type).toBe(11);
    expect(file.section('.symtab')?.size).toBeGreaterThan(100);
    expect(uploader.counters).toMatchObject({ uploaded: 1, uploadedDebug: 1, debugFiles: 1 });
  });

  test('of another build is not taken, nor a damaged link followed', async () => {
    copyFileSync(buildProgram(PROGRAMS.cWithoutId), debug);
    expect(await offered(stripped)).toMatchObject({ quality: SymbolQuality.DYNSYM });
  });

  test('larger than the server takes is left out, and that is counted', async () => {
    symbols.maxUploadBytes = BigInt(compactElf(bufferSource(readFileSync(stripped))).length + 100);
    expect(await offered(stripped)).toMatchObject({ quality: SymbolQuality.DYNSYM });
    expect(symbols.asked).toEqual([buildId, buildId]);
    expect(uploader.counters).toMatchObject({ uploaded: 1, uploadedDebug: 0, debugTooLarge: 1 });
  });

  test('of which nothing is small enough is not uploaded', async () => {
    symbols.maxUploadBytes = 500n;
    expect(await offered(stripped)).toBeUndefined();
    expect(uploader.counters).toMatchObject({ uploaded: 0, debugTooLarge: 1, unfit: 1 });
  });

  test.skipIf(!existsSync('/usr/bin/dwz'))('that refers to a shared file brings that along', async () => {
    for (const name of ['one', 'two']) copyFileSync(whole, join(directory, name));
    const [shared, one, two] = ['shared.debug', 'one', 'two'].map((name) => join(directory, name));
    execFileSync('dwz', ['-m', shared ?? '', '-M', 'shared.debug', one ?? '', two ?? '']);
    expect(await offered(one ?? '')).toMatchObject({ quality: SymbolQuality.DWARF });
    const link = readDebugAltLink(ElfFile.parse(bufferSource(readFileSync(one ?? ''))));
    const supplement = symbols.uploads.get(link?.buildId ?? '');
    expect(supplement).toMatchObject({ supplementary: true, fileName: 'shared.debug' });
    expect(supplement?.bytes.equals(readFileSync(shared ?? ''))).toBe(true);
    expect([...symbols.uploads.keys()]).toEqual([link?.buildId, buildId]);
  });
});

test('an upload that another host does is asked for again later', async () => {
  const buildId = sampled(LIBC);
  symbols.later.add(buildId);
  const now = Date.now();
  uploader.offer([buildId], now);
  await uploader.settled();
  symbols.later.clear();
  uploader.offer([buildId], now + 900);
  await uploader.settled();
  expect(symbols.asked).toEqual([buildId]);
  symbols.busyMs = 1000;
  uploader.offer([buildId], now + 10_000);
  await uploader.settled();
  symbols.busyMs = 0;
  expect(symbols.uploads.size).toBe(0);
  uploader.offer([buildId], now + 20_000);
  await uploader.settled();
  expect(symbols.uploads.has(buildId)).toBe(true);
  expect(uploader.counters).toMatchObject({ postponed: 2, uploaded: 1, errors: 0 });
});

test('a large upload stops for a small one, and goes on', async () => {
  const large = sampled(process.execPath);
  const small = sampled(LIBC, FIRST_FILE_BINARY + 1);
  symbols.before = (buildId, offset) => {
    // Seen while the large one is under way.
    if (buildId === large && offset === PART_BYTES) uploader.offer([small], Date.now());
  };
  uploader.offer([large], Date.now());
  await uploader.settled();
  expect([...symbols.uploads.keys()]).toEqual([small]);
  expect(uploader.counters).toMatchObject({ interrupted: 1, uploaded: 1, errors: 0 });
  uploader.offer([large], Date.now());
  await uploader.settled();
  expect([...symbols.uploads.keys()]).toEqual([small, large]);
  const sizes = [...symbols.uploads.values()].map(({ bytes }) => bytes.length);
  expect(sizes[1]).toBeGreaterThan(LARGE_BYTES);
  // No part was sent twice.
  expect(symbols.receivedBytes).toBe((sizes[0] ?? 0) + (sizes[1] ?? 0));
  expect(uploader.counters.uploadedBytes).toBe(symbols.receivedBytes);
});

test('the rate is bounded, and a stop does not wait for it', async () => {
  await uploader.stop();
  const slow = new SymbolUploader({
    client: createClient(SymbolService, createTransport(`http://127.0.0.1:${server.port}`)),
    binaries,
    vdso: readVdso(log),
    log,
    bytesPerSecond: 1,
  });
  const buildId = sampled(process.execPath);
  slow.offer([buildId], Date.now());
  await expect.poll(() => symbols.receivedBytes, { timeout: 30_000 }).toBe(PART_BYTES);
  await slow.stop();
  expect(symbols.receivedBytes).toBe(PART_BYTES);
  expect(symbols.uploads.size).toBe(0);
});

test('an upload that broke off goes on where it was', async () => {
  const buildId = sampled(process.execPath);
  let failures = 1;
  symbols.before = (_id, offset) => {
    if (offset >= 2 * PART_BYTES && failures-- > 0) throw new ConnectError('gone', Code.Unavailable);
  };
  for (let window = 0; window < 2; window++) {
    uploader.offer([buildId], Date.now());
    await uploader.settled();
  }
  const upload = symbols.uploads.get(buildId);
  expect(upload?.bytes.length).toBeGreaterThan(3 * PART_BYTES);
  expect(symbols.receivedBytes).toBe(upload?.bytes.length);
  expect(uploader.counters).toMatchObject({ errors: 1, uploaded: 1 });
});

test('files are not kept open for long', () => {
  sampled(LIBC);
  expect(binaries.openFiles).toBe(1);
  binaries.beginWindow(Date.now() + OPEN_FILE_MS + 1);
  expect(binaries.openFiles).toBe(0);
});

test('file offsets become the addresses that the ELF file has them at', () => {
  sampled(LIBC);
  const binary = binaries.get(FIRST_FILE_BINARY, process.pid, Date.now());
  if (binary === undefined) throw new Error('the binary is not known');
  const fd = openSync(LIBC, 'r');
  const elf = ElfFile.parse(fileSource(fd));
  const code = elf.segments.find(({ type, flags }) => type === 1 && (flags & 1) !== 0);
  if (code === undefined) throw new Error('libc has no code');
  for (const offset of [code.offset, code.offset + 4321, code.offset + code.fileSize - 1]) {
    expect(binaryAddress(binary, offset)).toEqual({ address: elf.fileOffsetToAddress(offset), isElf: true });
  }
  expect(binaryAddress(binary, elf.source.size + 5)).toEqual({ address: elf.source.size + 5, isElf: false });
  closeSync(fd);
});

test('what is no ELF file, is gone or was replaced has offsets for addresses and a reason', () => {
  const text = join(directory, 'not-elf');
  writeFileSync(text, 'text');
  sampled(text, 20);
  sampled(join(directory, 'nowhere'), 21);
  const replaced = {
    id: 22,
    path: LIBC,
    buildId: '00'.repeat(20),
    pid: process.pid,
    start: 0n,
    end: 1n,
    fileOffset: 0n,
  };
  binaries.add([replaced]);
  const problems = [20, 21, 22].map((id) => binaries.get(id, process.pid, Date.now())?.problem);
  expect(problems).toEqual(['not_elf', 'not_found', 'replaced']);
  expect(binaries.counters.problems).toEqual({ not_elf: 1, not_found: 1, replaced: 1, hung: 0 });
  const unknown = binaries.get(20, process.pid, Date.now());
  expect(unknown === undefined ? undefined : binaryAddress(unknown, 77)).toEqual({
    address: 77,
    isElf: false,
  });
});

test('a binary without any id is known by its head, tail and length', () => {
  const copy = join(directory, 'no-id');
  const bytes = readFileSync(LIBC);
  // The note becomes one of another kind: "GNU" is its owner, 3 its type.
  for (let at = bytes.indexOf('GNU\0', 0, 'latin1'); at >= 0; at = bytes.indexOf('GNU\0', at + 1, 'latin1')) {
    if (bytes.readUInt32LE(at - 4) === 3) bytes.writeUInt32LE(77, at - 4);
  }
  writeFileSync(copy, bytes);
  const id = sampled(copy);
  expect(id).toMatch(/^68746c[0-9a-f]{32}$/);
  writeFileSync(copy, Buffer.concat([bytes, Buffer.from('x')]));
  expect(sampled(copy, 30)).not.toBe(id);
});
