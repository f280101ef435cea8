import { SEVERAL_BUILDS } from '@fleetflame/profile';
import { shortBuildId } from '../quantity/build-id.ts';
import { CopyButton } from './copy-button.tsx';

/** A build id, short, with a button that copies the whole. */
export function BuildId(props: { readonly buildId: string }) {
  const { buildId } = props;
  if (buildId === '') return <span className="build-id muted">no build id</span>;
  if (buildId === SEVERAL_BUILDS) return <span className="build-id muted">several builds</span>;
  return (
    <span className="build-id" title={`build id ${buildId}`}>
      <code>{shortBuildId(buildId)}</code>
      <CopyButton text={buildId} what="build id" />
    </span>
  );
}
