import { randomBytes } from 'node:crypto';
import { closeSync, mkdtempSync, openSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  fileSource,
  localFiles,
  prepareUpload,
  readBinaryImage,
  sendUpload,
  type SendResult,
} from '@fleetflame/agent/upload';
import { elfConstants } from '@fleetflame/elf';
import { elfImage } from '@fleetflame/elf/testing';
import { startSymbolServer, type SymbolServer } from '@fleetflame/symbols/testing';
import { afterAll, afterEach, describe, expect, it } from 'vitest';

const GIBIBYTE = 1 << 30;
const PART_BYTES = 1 << 20;

const folder = mkdtempSync(join(tmpdir(), 'fleetflame-upload-'));
const servers: SymbolServer[] = [];

afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A gigabyte through two sockets and three files takes seconds, on a busy machine minutes. */
const LONG_MS = 600_000;

/** A binary whose debug information has so many bytes, nearly all of them zero and on no disk. */
function largeBinary(size: number): string {
  const text = { name: '.text', type: elfConstants.SHT_PROGBITS, flags: 6, contents: new Uint8Array(64) };
  const debug = {
    name: '.debug_info',
    type: elfConstants.SHT_PROGBITS,
    flags: 0,
    contents: new Uint8Array(64),
  };
  const bytes = elfImage([text, debug]);
  const view = new DataView(bytes.buffer);
  const header = Number(view.getBigUint64(40, true)) + 2 * elfConstants.SECTION_HEADER_BYTES;
  view.setBigUint64(header + 24, BigInt(bytes.length), true);
  view.setBigUint64(header + 32, BigInt(size - bytes.length), true);
  const path = join(folder, 'large');
  writeFileSync(path, bytes);
  truncateSync(path, size);
  return path;
}

/** Uploads it as an agent does; `until`: breaks off at this offset. */
async function upload(server: SymbolServer, path: string, until = Infinity): Promise<SendResult> {
  const fd = openSync(path, 'r');
  const source = fileSource(fd);
  const { buildId } = readBinaryImage(source);
  const prepared = prepareUpload({ ...localFiles(path), bases: [], source, buildId }, 'debug');
  const { bytes, ...head } = prepared.upload;
  try {
    return await sendUpload(
      server.client,
      {
        ...head,
        sizeBytes: bytes.size,
        read: (offset, length) => {
          if (offset >= until) throw new Error('broken off');
          return Promise.resolve(new Uint8Array(bytes.read(offset, length)));
        },
      },
      { uploader: randomBytes(16).toString('hex'), origin: 'agent', waitForEnd: true },
    );
  } finally {
    prepared.close();
    closeSync(fd);
  }
}

describe('a binary of a gigabyte', () => {
  it(
    'is sent in parts, goes on with another server after a break, and neither side ever holds it',
    async () => {
      const path = largeBinary(GIBIBYTE - PART_BYTES);
      const first = await startSymbolServer();
      let most = 0;
      const before = process.memoryUsage().rss;
      const watch = setInterval(() => (most = Math.max(most, process.memoryUsage().rss)), 50);
      const half = GIBIBYTE / 2;
      await expect(upload(first, path, half)).rejects.toThrow('broken off');
      await first.stop();
      const second = await startSymbolServer({ folder: first.folder });
      servers.push(second);
      // The lease of the sender that broke off.
      second.advance(60_000);
      const result = await upload(second, path);
      clearInterval(watch);
      expect(result.state).toBe('stored');
      expect(result.sentBytes).toBeLessThan(half);
      expect(result.sentBytes).toBeGreaterThan(half - 3 * PART_BYTES);
      expect(most - before).toBeLessThan(400 << 20);
      // Nothing of the parts is left.
      const left = readdirSync(first.folder, { recursive: true, withFileTypes: true });
      expect(left.filter((entry) => entry.isFile() && entry.parentPath.includes('symbol-uploads'))).toEqual(
        [],
      );
    },
    LONG_MS,
  );

  it('that is larger than the server takes is refused before a byte of it is sent', async () => {
    const server = await startSymbolServer();
    servers.push(server);
    const path = largeBinary(GIBIBYTE + PART_BYTES);
    await expect(upload(server, path)).rejects.toThrow(/total_bytes: \d+ bytes, the most is 1073741824/);
  });
});
