import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { FilterSource } from '@fleetflame/agent';
import type { Capability } from '@fleetflame/bpf';
import type { Command } from 'commander';
import { pino } from 'pino';
import { formatTable } from '../client/format.ts';
import { messageOf } from '../client/message.ts';
import { printJson, printLine } from '../client/output.ts';

const WORDS: Readonly<Record<Capability['status'], string>> = {
  ok: 'OK',
  missing: 'missing',
  degraded: 'degraded',
};

/** What this host can do, and what each missing thing costs. */
export function addDoctor(program: Command): void {
  program
    .command('doctor')
    .description('what this host can do: kernel, BTF, capabilities, perf, libbpf')
    .option('--filter-file <file>', "check an agent's rules too")
    .option('--json', 'for scripts')
    .action(async (options: { readonly json?: boolean; readonly filterFile?: string }) => {
      const { probeCapabilities } = await import('@fleetflame/bpf');
      const capabilities = [...probeCapabilities(), await probeDemangler()];
      if (options.filterFile !== undefined) capabilities.push(probeFilter(options.filterFile));
      const missing = capabilities.filter((capability) => capability.status === 'missing').length;
      if (missing > 0) process.exitCode = 1;
      if (options.json === true) {
        printJson({ ok: missing === 0, capabilities });
        return;
      }
      printLine(
        formatTable(
          ['check', 'status', 'found', 'what it costs'],
          capabilities.map((c) => [c.name, WORDS[c.status], c.detail, c.status === 'ok' ? '' : c.cost]),
          [],
        ),
      );
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
