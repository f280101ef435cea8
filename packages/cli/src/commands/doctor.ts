import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { FilterSource } from '@fleetflame/agent';
import type { Capability } from '@fleetflame/bpf';
import type { Command } from 'commander';
import { pino } from 'pino';
import { agentChecks, askForAgent, memoryParts } from '../client/agent-report.ts';
import { formatBytes, formatTable } from '../client/format.ts';
import { messageOf } from '../client/message.ts';
import { printJson, printLine } from '../client/output.ts';
import { serverOption } from '../client/scope.ts';

const WORDS: Readonly<Record<Capability['status'], string>> = {
  ok: 'OK',
  missing: 'missing',
  degraded: 'degraded',
};

interface DoctorOptions {
  readonly server: string;
  readonly filterFile?: string;
  readonly json?: boolean;
}

/** What this host can do, and what each missing thing costs. */
export function addDoctor(program: Command): void {
  program
    .command('doctor')
    .description('what this host can do, what each missing thing costs, and what a running agent uses')
    .addOption(serverOption())
    .option('--filter-file <file>', "check an agent's rules too")
    .option('--json', 'for scripts')
    .addHelpText(
      'after',
      '\nExit code: 0 when this host can be sampled, 1 when something is missing that sampling needs.',
    )
    .action(async (options: DoctorOptions) => {
      const { probeCapabilities } = await import('@fleetflame/bpf');
      const agent = await askForAgent(options.server);
      const isKnown = typeof agent !== 'string';
      const capabilities = [
        ...probeCapabilities(),
        await probeDemangler(),
        ...(options.filterFile === undefined ? [] : [probeFilter(options.filterFile)]),
        ...(isKnown ? agentChecks(agent) : []),
      ];
      const missing = capabilities.filter((capability) => capability.status === 'missing').length;
      if (missing > 0) process.exitCode = 1;
      if (options.json === true) {
        printJson({
          ok: missing === 0,
          capabilities,
          agent: isKnown ? agent : { state: 'unknown', reason: agent },
        });
        return;
      }
      printLine(
        formatTable(
          ['check', 'status', 'found', 'what it costs'],
          capabilities.map((c) => [c.name, WORDS[c.status], c.detail, c.status === 'ok' ? '' : c.cost]),
          [],
        ),
      );
      if (!isKnown) printLine(`\nWhat a running agent uses is not shown: ${agent}.`);
      else if (agent.stats !== undefined) {
        printLine('');
        printLine(
          formatTable(
            ['memory of the sampler', 'size'],
            memoryParts(agent.stats).map(([part, bytes]) => [part, formatBytes(bytes)]),
            [false, true],
          ),
        );
      }
    });
}

function probeFilter(file: string): Capability {
  try {
    const { rules } = new FilterSource({ file }, pino({ enabled: false })).status();
    return { name: 'filter file', status: 'ok', detail: `${rules.length} rules`, cost: '' };
  } catch (error) {
    return {
      name: 'filter file',
      status: 'missing',
      detail: messageOf(error),
      cost: 'an agent does not start with it',
    };
  }
}

/** The symbolizer runs binutils' c++filt; without it, names of C++ and Rust stay as the linker sees them. */
async function probeDemangler(): Promise<Capability> {
  try {
    const { stdout } = await promisify(execFile)('c++filt', ['--version'], { timeout: 5000 });
    return { name: 'c++filt', status: 'ok', detail: stdout.split('\n')[0] ?? 'runs', cost: '' };
  } catch (error) {
    return {
      name: 'c++filt',
      status: 'degraded',
      detail: `does not run: ${messageOf(error)}`,
      cost: 'names of C++ and Rust functions stay mangled; install binutils',
    };
  }
}
