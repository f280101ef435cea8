import type { ConnectRouter } from '@connectrpc/connect';
import { SymbolService } from '@fleetflame/proto/symbols/v1/symbols';

/** A symbol service that wants everything once and keeps what it gets in memory. */
export class SymbolServer {
  readonly asked: string[] = [];
  readonly uploads = new Map<string, { readonly fileName: string; readonly bytes: Buffer }>();
  readonly #parts = new Map<string, Uint8Array[]>();
  /** Called for every part before it is kept; may throw. */
  before: (buildId: string, offset: number) => void = () => undefined;

  routes(router: ConnectRouter): void {
    router.service(SymbolService, {
      wanted: ({ buildIds }) => {
        this.asked.push(...buildIds);
        return { buildIds: buildIds.filter((buildId) => !this.uploads.has(buildId)) };
      },
      upload: ({ buildId, fileName, totalBytes, offset, part }) => {
        this.before(buildId, Number(offset));
        const parts = offset === 0n ? [] : (this.#parts.get(buildId) ?? []);
        this.#parts.set(buildId, parts);
        parts.push(part);
        const bytes = Buffer.concat(parts);
        if (BigInt(bytes.length) < totalBytes) return {};
        this.uploads.set(buildId, { fileName, bytes });
        return { complete: true };
      },
      status: () => ({}),
    });
  }
}
