import type { Command } from 'commander';
import { collect } from '../commands/options.ts';
import type { FileValue } from './config-file.ts';
import { invalid, parseSetting, variableOf, type Role, type Setting, type SettingValue } from './setting.ts';
import { SETTINGS } from './settings.ts';
import type { SettingEntry } from '../parent/plan.ts';
import { suggest } from './suggest.ts';

/** Named limits of a service that a file or the environment may change: limits.<group>.<name>. */
export type LimitTables = Readonly<
  Record<string, { readonly roles: readonly Role[]; readonly limits: Readonly<Record<string, number>> }>
>;

export interface EffectiveSetting {
  readonly key: string;
  readonly setting: Setting;
  /** As a person wrote it; undefined: not set. */
  readonly text: string | undefined;
  readonly value: SettingValue | undefined;
  /** The flag, the variable, file and line, or "default". */
  readonly source: string;
}

/** The settings of one role, each from where it is said first: flag, environment, file, default. */
export class Config {
  readonly role: Role;
  readonly #effective: ReadonlyMap<string, EffectiveSetting>;

  private constructor(role: Role, effective: ReadonlyMap<string, EffectiveSetting>) {
    this.role = role;
    this.#effective = effective;
  }

  /**
   * Adds the flags of a role to its command; `load` reads them back. Defaults are not commander's, so
   * that a flag which was given can be told from one that was not.
   */
  static addFlags(command: Command, role: Role): Command {
    command.option('--config <file>', 'settings in YAML; flags and FLEETFLAME_… variables win over it');
    for (const [key, setting] of Object.entries(SETTINGS)) {
      if (setting.flag === undefined || !setting.roles.includes(role)) continue;
      const isSwitch = setting.kind.type === 'switch';
      const shown = setting.default === undefined || isSwitch ? [] : [`default: ${setting.default}`];
      const note = [...shown, `env: ${variableOf(key)}`].join(', ');
      const help = `${setting.help} (${note})`;
      if (setting.kind.type === 'list') command.option(setting.flag, help, collect);
      else command.option(setting.flag, help);
    }
    return command.option('--print-config', 'show the settings in force, secrets hidden, and end');
  }

  /** Throws FleetflameError invalid_input that names the flag, the variable, or the line and key. */
  static async load(
    role: Role,
    flags: Readonly<Record<string, unknown>>,
    environment: NodeJS.ProcessEnv,
    limits: LimitTables | undefined,
  ): Promise<Config> {
    const settings = new Map(Object.entries({ ...SETTINGS, ...limitSettings(limits) }));
    const path = flags['config'] ?? environment['FLEETFLAME_CONFIG'];
    const file = typeof path === 'string' ? await readFile(path) : new Map<string, FileValue>();
    for (const [key, { place, text }] of file) {
      if (text === undefined) {
        if ([...settings.keys()].some((one) => one.startsWith(`${key}.`))) continue;
        throw invalid(`${place}: ${key}`, 'it has no value');
      }
      if (text.includes('\n') && settings.get(key)?.kind.type !== 'list') {
        throw invalid(`${place}: ${key}`, 'it takes one value');
      }
      if (!settings.has(key) && !isOthersLimit(key, limits)) {
        throw invalid(`${place}: ${key}`, `there is no such setting${suggest(key, settings.keys())}`);
      }
    }
    refuseUnknownVariables(environment, settings, limits);

    const effective = new Map<string, EffectiveSetting>();
    for (const [key, setting] of settings) {
      const inFile = file.get(key);
      const variable = variableOf(key);
      const candidates = [
        { text: flagText(setting, flags), source: setting.flag?.split(' ')[0] ?? '' },
        { text: environment[variable], source: variable },
        {
          text: inFile?.text,
          source: inFile === undefined ? '' : inFile.place,
          name: `${inFile?.place}: ${key}`,
        },
        { text: setting.default, source: 'default' },
      ];
      let chosen: EffectiveSetting = { key, setting, text: undefined, value: undefined, source: 'default' };
      // The last is the weakest; all are checked, so that a mistake shows before it matters.
      for (const { text, source, name } of candidates.toReversed()) {
        if (text === undefined) continue;
        chosen = { key, setting, text, value: parseSetting(setting.kind, text, name ?? source), source };
      }
      effective.set(key, chosen);
    }
    return new Config(role, effective);
  }

  /** The settings of another process, which has read them: what `said` gave there. */
  static restore(role: Role, said: readonly SettingEntry[], limits: LimitTables | undefined): Config {
    const settings = Object.entries({ ...SETTINGS, ...limitSettings(limits) });
    const texts = new Map(said.map(([key, text, source]) => [key, { text, source }]));
    const effective = settings.map(([key, setting]): [string, EffectiveSetting] => {
      const { text, source } = texts.get(key) ?? { text: setting.default, source: 'default' };
      const value = text === undefined ? undefined : parseSetting(setting.kind, text, source);
      return [key, { key, setting, text, value, source }];
    });
    return new Config(role, new Map(effective));
  }

  /** What is not the default, for `restore`. Secrets are in it. */
  get said(): readonly SettingEntry[] {
    return this.all.flatMap(({ key, text, source }) =>
      source === 'default' || text === undefined ? [] : [[key, text, source] as const],
    );
  }

  /** In the order of the table. */
  get all(): readonly EffectiveSetting[] {
    return [...this.#effective.values()];
  }

  /** How to call a setting in an error: where it was said, or its key. */
  nameOf(key: string): string {
    const { source } = this.#get(key);
    if (source === 'default') return key;
    return source.includes(':') ? `${source}: ${key}` : source;
  }

  /** As it was written; undefined: not set. */
  text(key: string): string | undefined {
    return this.#get(key).text;
  }

  /** Of a setting with a default. */
  requiredText(key: string): string {
    const text = this.text(key);
    if (text === undefined) throw new TypeError(`setting ${key} has no default`);
    return text;
  }

  /** Of a duration, a count or a number with a default. */
  number(key: string): number {
    const { value } = this.#get(key);
    if (typeof value !== 'number') throw new TypeError(`setting ${key} is not a number`);
    return value;
  }

  /** Empty: not set. */
  list(key: string): readonly string[] {
    const { value } = this.#get(key);
    return typeof value === 'object' ? value : [];
  }

  /** Undefined: neither on nor off was said. */
  isOn(key: string): boolean | undefined {
    const { value } = this.#get(key);
    return typeof value === 'boolean' ? value : undefined;
  }

  /** The limits of a group that somebody changed. */
  limits(group: string): Readonly<Record<string, number>> {
    const prefix = `limits.${group}.`;
    const changed = this.all.filter(({ key, source }) => key.startsWith(prefix) && source !== 'default');
    return Object.fromEntries(changed.map(({ key, value }) => [key.slice(prefix.length), Number(value)]));
  }

  #get(key: string): EffectiveSetting {
    const found = this.#effective.get(key);
    if (found === undefined) throw new TypeError(`there is no setting ${key}`);
    return found;
  }
}

/** The parser takes 11 MB and a tenth of a second: only who has a file pays. */
async function readFile(path: string): Promise<ReadonlyMap<string, FileValue>> {
  const { readConfigFile } = await import('./config-file.ts');
  return readConfigFile(path);
}

function limitSettings(tables: LimitTables | undefined): Readonly<Record<string, Setting>> {
  const settings: Record<string, Setting> = {};
  for (const [group, { roles, limits }] of Object.entries(tables ?? {})) {
    for (const [name, value] of Object.entries(limits)) {
      const kind = Number.isInteger(value)
        ? ({ type: 'count', min: 1, max: Number.MAX_SAFE_INTEGER } as const)
        : ({ type: 'number' } as const);
      settings[`limits.${group}.${name}`] = { kind, roles, help: '', default: String(value) };
    }
  }
  return settings;
}

/** A role that does not know the limits leaves their check to those that use them. */
function isOthersLimit(key: string, limits: LimitTables | undefined): boolean {
  return limits === undefined && key.startsWith('limits.');
}

/** Variables that are read elsewhere: the file's place, the server of client verbs, and those of tests. */
const OTHER_VARIABLES: ReadonlySet<string> = new Set([
  'FLEETFLAME_CONFIG',
  'FLEETFLAME_SERVER',
  'FLEETFLAME_SEED',
  'FLEETFLAME_LONG',
  'FLEETFLAME_CHROMIUM',
]);
/** Kubernetes puts such into every container of a namespace with a Service called fleetflame-… */
const OF_KUBERNETES = /_(SERVICE_HOST|SERVICE_PORT(_.+)?|PORT(_\d+_.+)?)$/;

function refuseUnknownVariables(
  environment: NodeJS.ProcessEnv,
  settings: ReadonlyMap<string, Setting>,
  limits: LimitTables | undefined,
): void {
  const known = new Set([...settings.keys()].map(variableOf));
  for (const name of Object.keys(environment)) {
    if (!name.startsWith('FLEETFLAME_') || known.has(name) || OTHER_VARIABLES.has(name)) continue;
    if (OF_KUBERNETES.test(name)) continue;
    if (limits === undefined && name.startsWith('FLEETFLAME_LIMITS_')) continue;
    throw invalid(name, `there is no such setting${suggest(name, known)}`);
  }
}

/** The text of a flag as commander has it under its camel-cased name. */
function flagText(setting: Setting, flags: Readonly<Record<string, unknown>>): string | undefined {
  const long = /--(\S+)/.exec(setting.flag ?? '')?.[1];
  if (long === undefined) return undefined;
  const negated = long.startsWith('no-');
  const name = (negated ? long.slice(3) : long).replaceAll(/-([a-z])/g, (_, letter: string) =>
    letter.toUpperCase(),
  );
  const value = flags[name];
  // Commander turns `--no-x` on by itself when it is not given.
  if (value === undefined || (negated && value === true)) return undefined;
  if (Array.isArray(value)) return value.join('\n');
  return typeof value === 'string' || typeof value === 'boolean' ? String(value) : undefined;
}
