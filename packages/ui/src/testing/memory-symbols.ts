import type { MessageInitShape } from '@bufbuild/protobuf';
import type { ConnectRouter } from '@connectrpc/connect';
import { SymbolService, type BinaryStatusSchema } from '@fleetflame/proto/symbols/v1/symbols';

/** SymbolService that knows some binaries and takes no uploads: for the page's own tests. */
export function memorySymbols(
  binaries: readonly MessageInitShape<typeof BinaryStatusSchema>[],
): (router: ConnectRouter) => void {
  return (router) =>
    router.service(SymbolService, {
      status: ({ buildIds }) => ({
        binaries: binaries.filter(({ buildId = '' }) => buildIds.length === 0 || buildIds.includes(buildId)),
      }),
    });
}
