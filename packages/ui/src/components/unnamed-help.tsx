import { unnamedAdvice, type UnnamedFrames } from '@fleetflame/profile';
import type { BinaryStatus } from '@fleetflame/proto/symbols/v1/symbols';
import { CopyButton } from './copy-button.tsx';

/** Where `./fleetflame up` listens, and client verbs ask, when nothing else is said. */
const DEFAULT_SERVER = 'http://127.0.0.1:7171';

/** Why frames of a binary have no names, and what to do about it. */
export function UnnamedHelp(props: {
  readonly frames: UnnamedFrames;
  readonly status: BinaryStatus | undefined;
  /** Also the command to run, to be copied. */
  readonly withCommand?: boolean;
}) {
  const { why, remedy, command } = unnamedAdvice(props.frames, props.status);
  const isPush = command.includes(' symbols push ');
  const server = isPush && location.origin !== DEFAULT_SERVER ? ` --server ${location.origin}` : '';
  return (
    <p>
      {sentence(why)}
      <small>{sentence(remedy)}</small>
      {props.withCommand === true && command !== '' && (
        <span className="help-command">
          <code title={command + server}>{command + server}</code>
          <CopyButton text={command + server} what="command" />
        </span>
      )}
    </p>
  );
}

function sentence(text: string): string {
  return `${text.slice(0, 1).toUpperCase()}${text.slice(1)}${/[.!?]$/u.test(text) ? '' : '.'}`;
}
