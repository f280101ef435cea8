/** Builds the page that measures frames and serves it; prints its URL. For bench/flame-frame. */
import { build, preview } from 'vite';

const root = import.meta.dirname;
const options = {
  root,
  logLevel: 'error',
  build: { outDir: '../../dist/frame-bench', emptyOutDir: true },
} as const;
await build({ ...options, configFile: false });
const server = await preview({ ...options, configFile: false, preview: { host: '127.0.0.1', port: 0 } });
process.stdout.write(`${server.resolvedUrls?.local[0] ?? ''}\n`);
