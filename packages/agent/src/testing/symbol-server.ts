import type { ConnectRouter } from '@connectrpc/connect';
import { SymbolService, type SymbolQuality } from '@fleetflame/proto/symbols/v1/symbols';

export interface KeptUpload {
  readonly fileName: string;
  readonly quality: SymbolQuality;
  readonly supplementary: boolean;
  readonly bytes: Buffer;
}

/** A symbol service that wants everything once and keeps what it gets in memory. */
export class SymbolServer {
  readonly asked: string[] = [];
  readonly uploads = new Map<string, KeptUpload>();
  /** Larger uploads are not taken. */
  maxUploadBytes = 1n << 30n;
  /** Build ids that another host is said to upload. */
  readonly later = new Set<string>();
  /** Answered to uploads instead of taking them, milliseconds. */
  busyMs = 0;
  /** Bytes received, the needless ones too. */
  receivedBytes = 0;
  readonly #parts = new Map<string, Uint8Array[]>();
  /** Called for every part before it is kept; may throw. */
  before: (buildId: string, offset: number) => void = () => undefined;

  /** Kept of uploads that have not ended. */
  get unfinishedBytes(): number {
    return [...this.#parts.values()].flat().reduce((sum, part) => sum + part.length, 0);
  }

  routes(router: ConnectRouter): void {
    router.service(SymbolService, {
      wanted: ({ offers }) => {
        const buildIds = offers.map((offer) => offer.buildId);
        this.asked.push(...buildIds);
        return {
          buildIds: offers
            .filter(({ buildId, bytes }) => !this.uploads.has(buildId) && bytes <= this.maxUploadBytes)
            .map(({ buildId }) => buildId)
            .filter((buildId) => !this.later.has(buildId)),
          later: buildIds.filter((buildId) => this.later.has(buildId)),
          laterMs: 1000,
          maxUploadBytes: this.maxUploadBytes,
        };
      },
      upload: ({ buildId, fileName, totalBytes, offset, part, quality, supplementary }) => {
        this.before(buildId, Number(offset));
        if (this.busyMs > 0) return { busyMs: this.busyMs };
        this.receivedBytes += part.length;
        const parts = this.#parts.get(buildId) ?? [];
        this.#parts.set(buildId, parts);
        const received = parts.reduce((sum, one) => sum + one.length, 0);
        if (Number(offset) === received && part.length > 0) parts.push(part);
        const bytes = Buffer.concat(parts);
        if (BigInt(bytes.length) < totalBytes) return { nextOffset: BigInt(bytes.length) };
        this.uploads.set(buildId, { fileName, quality, supplementary, bytes });
        this.#parts.delete(buildId);
        return { complete: true };
      },
      status: () => ({}),
    });
  }
}
