import { readFile, readdir } from 'node:fs/promises';
import { extname, join, relative, sep } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { Visit } from './door/guard.ts';

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.json': 'application/json',
  '.woff2': 'font/woff2',
  '.ico': 'image/x-icon',
  '.png': 'image/png',
};

const CSP =
  "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; connect-src 'self'; worker-src 'self' blob:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

interface File {
  readonly plain: Buffer;
  readonly gzip: Buffer | undefined;
  readonly type: string;
  readonly immutable: boolean;
}

/** The built UI, held in memory: a handful of files. */
export class StaticFiles {
  readonly #files: ReadonlyMap<string, File>;

  private constructor(files: ReadonlyMap<string, File>) {
    this.#files = files;
  }

  /** Reads every file below `directory`; undefined where there is no index.html. */
  static async load(directory: string): Promise<StaticFiles | undefined> {
    const files = new Map<string, File>();
    const entries = await readdir(directory, { recursive: true, withFileTypes: true }).catch(() => []);
    for (const entry of entries) {
      if (!entry.isFile()) continue;
      const path = join(entry.parentPath, entry.name);
      const plain = await readFile(path);
      const extension = extname(entry.name);
      const compressible = extension !== '.woff2' && extension !== '.png' && plain.length > 512;
      files.set(`/${relative(directory, path).split(sep).join('/')}`, {
        plain,
        gzip: compressible ? gzipSync(plain) : undefined,
        type: TYPES[extension] ?? 'application/octet-stream',
        // vite puts a content hash into the names below assets/
        immutable: path.includes(`${sep}assets${sep}`),
      });
    }
    return files.has('/index.html') ? new StaticFiles(files) : undefined;
  }

  /** Answers GET and HEAD; paths without an extension get the page itself. False: not ours. */
  serve({ request, response, method, path }: Visit): boolean {
    if (method !== 'GET' && method !== 'HEAD') return false;
    const file = this.#files.get(path) ?? (extname(path) === '' ? this.#files.get('/index.html') : undefined);
    if (file === undefined) return false;
    const zipped = file.gzip !== undefined && (request.headers['accept-encoding'] ?? '').includes('gzip');
    const body = zipped && file.gzip !== undefined ? file.gzip : file.plain;
    response.writeHead(200, {
      'content-type': file.type,
      'content-length': body.length,
      'cache-control': file.immutable ? 'public, max-age=31536000, immutable' : 'no-cache',
      'content-security-policy': CSP,
      vary: 'accept-encoding',
      ...(zipped ? { 'content-encoding': 'gzip' } : {}),
    });
    response.end(method === 'HEAD' ? undefined : body);
    return true;
  }
}
