/** What is sent of binaries, with and without debug sections, and what reading it costs. See README.md. */
import { closeSync, openSync, statSync } from 'node:fs';
import { basename } from 'node:path';
import { fileSource, localFiles, prepareUpload, readBinaryImage } from '@fleetflame/agent/upload';

const PART_BYTES = 1 << 20;

function measure(path: string): string[] {
  const fd = openSync(path, 'r');
  const source = fileSource(fd);
  const { buildId } = readBinaryImage(source);
  const binary = { ...localFiles(path), source, buildId };
  const start = performance.now();
  const debug = prepareUpload(binary, 'debug');
  const prepareMs = performance.now() - start;
  const symbols = prepareUpload(binary, 'symbols');
  const { bytes } = debug.upload;
  const before = process.threadCpuUsage();
  for (let at = 0; at < bytes.size; at += PART_BYTES) bytes.read(at, Math.min(PART_BYTES, bytes.size - at));
  const { user, system } = process.threadCpuUsage(before);
  const separate =
    debug.debugPath !== undefined && debug.debugPath !== '' ? statSync(debug.debugPath).size : 0;
  debug.close();
  symbols.close();
  closeSync(fd);
  return [
    basename(path),
    statSync(path).size.toLocaleString('en'),
    separate.toLocaleString('en'),
    symbols.upload.bytes.size.toLocaleString('en'),
    debug.debugPath === undefined ? '-' : bytes.size.toLocaleString('en'),
    `${prepareMs.toFixed(1)} ms`,
    `${((user + system) / 1000).toFixed(1)} ms`,
  ];
}

const files = process.argv.slice(2);
process.stdout.write(
  '| binary | bytes | its debug file | symbols only | with debug sections | looked into in | CPU to read it |\n|---|---|---|---|---|---|---|\n',
);
for (const path of files.length > 0 ? files : [process.execPath, '/usr/lib/x86_64-linux-gnu/libc.so.6']) {
  process.stdout.write(`| ${measure(path).join(' | ')} |\n`);
}
