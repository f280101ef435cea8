import type { BinaryStatus } from '@fleetflame/proto/symbols/v1/symbols';

/** Frames of one binary without names. */
export interface UnnamedFrames {
  readonly binary: string;
  readonly buildId: string;
  /** As in UnnamedBinary of the query service. */
  readonly reason: string;
}

export interface UnnamedAdvice {
  /** Why there are no names, in words. */
  readonly why: string;
  /** What to do. */
  readonly remedy: string;
  /** A command that does it, as far as it can be said without knowing the host; "" for none. */
  readonly command: string;
}

const PUSH_DEBUG =
  'install its debug package where it runs (Debian: apt install PACKAGE-dbgsym; dpkg -S FILE says which package), or: ' +
  'fleetflame symbols push FILE.debug; or let the server ask: fleetflame up --debuginfod URL';

const JIT: UnnamedAdvice = {
  why: 'code made at run time, and no perf map names it',
  remedy:
    'start the runtime with a perf map: node --perf-basic-prof, python3 -X perf, java -XX:+DumpPerfMapAtExit',
  command: '',
};

/** Why these frames have no names, and what to do about it; `status`: what the server knows of the binary. */
export function unnamedAdvice(
  { binary, buildId, reason }: UnnamedFrames,
  status: BinaryStatus | undefined,
): UnnamedAdvice {
  if (binary === '[jit]') return JIT;
  if (binary.startsWith('[kernel')) {
    return {
      why: 'kernel code whose symbols the agent may not read',
      remedy: 'run the agent as root or with CAP_SYSLOG; fleetflame doctor says what is missing',
      command: './fleetflame doctor',
    };
  }
  if (status !== undefined && status.receivingTotalBytes > 0n) {
    const what = status.converting ? 'being converted' : 'being uploaded';
    return { why: `its symbols are ${what}`, remedy: 'look again in a minute', command: '' };
  }
  switch (reason) {
    case 'no_build_id':
      return {
        why: 'the file was gone or unreadable when it was sampled, or it is no ELF file',
        remedy: 'let the agent read it: run the agent as root; keep the file while it runs',
        command: '',
      };
    case 'not_uploaded':
      return {
        why: 'its symbols are not uploaded',
        remedy:
          'an agent uploads them within a minute or so, if the file is there still; else, on a host that has it: ' +
          'fleetflame symbols push FILE; or let the server ask: fleetflame up --debuginfod URL',
        command: `./fleetflame symbols push "$(debuginfod-find executable ${buildId})"`,
      };
    case 'no_symbols':
      return {
        why: status?.problem || 'the binary has no function symbols: it is stripped',
        remedy: PUSH_DEBUG,
        command: pushDebug(buildId),
      };
    case 'not_covered':
      return {
        why:
          status?.source === 'dynsym' || status?.source === 'none'
            ? 'it is stripped: only exported functions have names'
            : 'its symbols do not reach these addresses',
        remedy: PUSH_DEBUG,
        command: pushDebug(buildId),
      };
    case 'no_mapping':
      return { why: 'the code is in no known file', remedy: JIT.remedy, command: '' };
    default:
      return {
        why: reason,
        remedy: 'update fleetflame: this version does not know the reason',
        command: '',
      };
  }
}

/** Fetches the debug file from the servers of DEBUGINFOD_URLS (Debian package debuginfod). */
function pushDebug(buildId: string): string {
  return `./fleetflame symbols push "$(debuginfod-find debuginfo ${buildId})"`;
}
