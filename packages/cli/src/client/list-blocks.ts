import type { Client } from '@connectrpc/connect';
import type { Block, BlockService } from '@fleetflame/proto/store/v1/blocks';
import type { Range } from './scope.ts';

/** All blocks of a range, page by page. */
export async function* listBlocks(
  client: Client<typeof BlockService>,
  range: Range,
): AsyncGenerator<Block, void, undefined> {
  let pageToken = '';
  do {
    const page = await client.list({
      fromMs: BigInt(range.fromMs),
      toMs: BigInt(range.toMs),
      pageToken,
    });
    yield* page.blocks;
    pageToken = page.nextPageToken;
  } while (pageToken !== '');
}
