import type { Capability } from '@fleetflame/bpf';
import type { Command } from 'commander';
import { formatTable } from '../client/format.ts';
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
    .option('--json', 'for scripts')
    .action(async (options: { readonly json?: boolean }) => {
      const { probeCapabilities } = await import('@fleetflame/bpf');
      const capabilities = probeCapabilities();
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
