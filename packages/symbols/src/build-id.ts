import { FleetflameError } from '@fleetflame/profile';

const BUILD_ID = /^[0-9a-f]{8,128}$/;

export function isBuildId(text: string): boolean {
  return BUILD_ID.test(text);
}

/** Build ids become keys of the object store: nothing else may pass. */
export function checkBuildId(text: string, field: string): void {
  if (isBuildId(text)) return;
  throw new FleetflameError(
    'invalid_input',
    `${field}: ${JSON.stringify(text.slice(0, 140))} is not a build id: 8 to 128 lower-case hex digits.`,
    { field },
  );
}

const NAME = /^[0-9a-f]{16,64}$/;

/** Names that senders make up become parts of keys too. */
export function checkName(text: string, field: string): void {
  if (NAME.test(text)) return;
  throw new FleetflameError(
    'invalid_input',
    `${field}: ${JSON.stringify(text.slice(0, 140))} is not 16 to 64 lower-case hex digits.`,
    { field },
  );
}
