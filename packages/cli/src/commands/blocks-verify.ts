import { Code, ConnectError, type Client } from '@connectrpc/connect';
import { decodeBlock, FleetflameError, visibleText } from '@fleetflame/profile';
import type { Block, BlockService } from '@fleetflame/proto/store/v1/blocks';
import type { Command } from 'commander';
import { isGone, openBlockObject, remoteBlock, type BlockObject } from '../client/block-object.ts';
import { connectBlocks } from '../client/connection.ts';
import { formatBytes } from '../client/format.ts';
import { listBlocks } from '../client/list-blocks.ts';
import { printJson, printLine } from '../client/output.ts';
import { Progress } from '../client/progress.ts';
import { addRangeOptions, rangeOf, serverOption, type RangeOptions } from '../client/scope.ts';

interface Damage {
  readonly block: string;
  readonly problem: string;
  /** The server has set it aside, now or earlier. */
  readonly quarantined: boolean;
}

/**
 * Reads and checks blocks here, so that the server only hands out bytes. What looks damaged is checked
 * again by the server, which then quarantines it: a broken line or memory here sets nothing aside.
 */
export function addVerify(blocks: Command): void {
  addRangeOptions(
    blocks
      .command('verify')
      .description('read whole blocks and check every byte, index and sum; what is damaged is quarantined')
      .argument('[block...]', 'ids of blocks or paths of files; none: all blocks of the range'),
    '1d',
  )
    .option('--json', 'for scripts')
    .addOption(serverOption())
    .action(verify);
}

async function verify(
  names: readonly string[],
  options: RangeOptions & { readonly server: string; readonly json?: boolean },
  command: Command,
): Promise<void> {
  const client = connectBlocks(options.server);
  const run = new VerifyRun(client);
  if (names.length > 0) {
    for (const name of names) await run.check(() => openBlockObject(name, () => client));
  } else {
    const listed: Block[] = [];
    for await (const block of listBlocks(client, rangeOf(options, command))) listed.push(block);
    run.expected = listed.length;
    for (const block of listed) await run.check(async () => Promise.resolve(remoteBlock(client, block)));
  }
  run.end(options.json === true);
}

class VerifyRun {
  readonly #client: Client<typeof BlockService>;
  readonly #progress = new Progress();
  readonly #damaged: Damage[] = [];
  #checked = 0;
  #gone = 0;
  #bytes = 0;
  expected = 0;

  constructor(client: Client<typeof BlockService>) {
    this.#client = client;
  }

  async check(open: () => Promise<BlockObject>): Promise<void> {
    let object: BlockObject | undefined;
    try {
      object = await open();
      const problem = await problemOf(object);
      this.#bytes += object.size;
      if (problem !== undefined) await this.#report(object, problem);
      this.#checked++;
    } catch (error) {
      // Merged into another since it was listed: the other one is or was in the list.
      if (object?.row === undefined || !isGone(error)) throw error;
      this.#gone++;
    }
    const of = this.expected === 0 ? '' : ` of ${this.expected}`;
    this.#progress.show(`${this.#checked + this.#gone}${of} blocks, ${formatBytes(this.#bytes)}`);
  }

  end(json: boolean): void {
    this.#progress.clear();
    if (json) {
      printJson({ checked: this.#checked, gone: this.#gone, bytes: this.#bytes, damaged: this.#damaged });
    } else {
      for (const { block, problem, quarantined } of this.#damaged) {
        printLine(`${block}: ${visibleText(problem)}${quarantined ? ' (quarantined)' : ''}`);
      }
      const gone = this.#gone === 0 ? '' : `, ${this.#gone} were merged meanwhile`;
      printLine(
        `${this.#checked} blocks checked, ${formatBytes(this.#bytes)}${gone}: ` +
          (this.#damaged.length === 0 ? 'all are sound' : `${this.#damaged.length} are damaged`),
      );
    }
    if (this.#damaged.length > 0) process.exitCode = 1;
  }

  async #report(object: BlockObject, problem: string): Promise<void> {
    if (object.row === undefined) {
      this.#damaged.push({ block: object.name, problem, quarantined: false });
      return;
    }
    const answer = await this.#client.verify({ id: object.row.id });
    this.#damaged.push({
      block: object.name,
      problem:
        answer.problem === ''
          ? `${problem}; but the server reads it without a fault: look at the way between here and there`
          : answer.problem,
      quarantined: answer.problem !== '',
    });
  }
}

/** What is wrong with a block; undefined: nothing. */
async function problemOf(object: BlockObject): Promise<string | undefined> {
  const { row } = object;
  try {
    const { samples } = decodeBlock(await object.read(0, object.size));
    return row === undefined || BigInt(samples.length) === row.rows
      ? undefined
      : `it has ${samples.length} sample rows, the catalog says ${row.rows}`;
  } catch (error) {
    if (error instanceof FleetflameError) return error.message;
    if (error instanceof ConnectError && error.code === Code.DataLoss) return error.rawMessage;
    throw error;
  }
}
