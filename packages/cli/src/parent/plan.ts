/** What the parent of `up` needs to know, worked out before it becomes one; and what it and the server say to each other. */

/** A setting that is not the default: key, text, where it was said. */
export type SettingEntry = readonly [key: string, text: string, source: string];

export interface Plan {
  readonly logLevel: string;
  /** Commands: what confines it, then Node with its flags and the program. */
  readonly server: {
    readonly command: readonly string[];
    readonly env: NodeJS.ProcessEnv;
    readonly settings: readonly SettingEntry[];
    readonly host: string;
    readonly port: number;
    /** The port is one that only root may take: the parent does, and hands it over. */
    readonly isPrivileged: boolean;
    /** At a stop, how long it may take to answer what is running. */
    readonly stopMs: number;
  };
  /** A text: why there is none. */
  readonly agent:
    | string
    | {
        readonly command: readonly string[];
        /** After --server. */
        readonly arguments: readonly string[];
        readonly env: NodeJS.ProcessEnv;
        readonly dataDir: string;
        /** Whether SIGHUP makes it read a file of rules again. */
        readonly reloads: boolean;
      };
  /** Told when both run, after the URL. */
  readonly lines: readonly string[];
}

/** The variable that the plan is handed over in. */
export const PLAN_VARIABLE = 'FLEETFLAME_PLAN';

/** To the server. With `port` comes the listening handle of a port that only root may take. */
export type ToServer =
  | {
      readonly type: 'start';
      readonly settings: readonly SettingEntry[];
      readonly port: number;
      readonly isPrivileged: boolean;
    }
  | { readonly type: 'port' }
  | { readonly type: 'answer'; readonly id: number; readonly text: string }
  | { readonly type: 'stop' };

/** From the server. It asks for the agent's status (JSON) and metrics (Prometheus text), and the parent's own. */
export type FromServer =
  | { readonly type: 'port' }
  | { readonly type: 'listening'; readonly url: string; readonly port: number }
  | { readonly type: 'ask'; readonly id: number; readonly what: 'status' | 'metrics' };
