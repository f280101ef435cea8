import { useMemo } from 'react';
import { parseProfileType } from '@fleetflame/profile';
import type { ProfileType } from '@fleetflame/proto/query/v1/query';
import { kindWords } from '../quantity/kind-words.ts';
import { THEME_CHOICES, type ThemeChoice } from '../theme/theme-store.ts';
import { ChevronIcon, MoonIcon, SunIcon, SystemIcon } from './icons.tsx';
import { usePage, useView } from './page-context.ts';
import { Popover } from './popover.tsx';
import { useSignal } from './use-signal.ts';

const TYPE_NAMES: Readonly<Record<string, string>> = { cpu: 'CPU', wall: 'Wall time', samples: 'Samples' };

const NO_TYPES: readonly ProfileType[] = [];

export function profileTypeName(id: string): string {
  const { sampleType } = parseProfileType(id);
  const words = TYPE_NAMES[sampleType] ?? sampleType.replaceAll('_', ' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
}

export function ProfileTypePicker() {
  const { session } = usePage();
  const types = useSignal(session.types.state).value?.types ?? NO_TYPES;
  const shown = useSignal(session.flame.state).value?.coverage?.profileType ?? '';
  const wanted = useView().profileType;
  const value = shown !== '' ? shown : wanted;
  const ids = useMemo(() => {
    const known = types.map(({ id }) => id);
    return value === '' || known.includes(value) ? known : [value, ...known];
  }, [types, value]);
  return (
    <label className="select" title="Profile type">
      <span className="visually-hidden">Profile type</span>
      <select
        data-testid="profile-type"
        value={value}
        onChange={(event) => session.setView({ profileType: event.target.value, focus: [] }, 'push')}
      >
        {ids.length === 0 && <option value="">CPU</option>}
        {ids.map((id) => (
          <option key={id} value={id} title={titleOf(id, types)}>
            {id.split(':').length === 5 ? nameAmong(id, ids) : id}
          </option>
        ))}
      </select>
      <ChevronIcon />
    </label>
  );
}

/** The whole type, and what its values are. */
function titleOf(id: string, types: readonly ProfileType[]): string {
  const kind = kindWords(types.find((type) => type.id === id)?.kinds ?? []);
  return kind === undefined ? id : `${id}: ${kind.name}`;
}

/** The short name, with the profile's name where two share it. */
function nameAmong(id: string, ids: readonly string[]): string {
  const name = profileTypeName(id);
  const isShared = ids.some(
    (other) => other !== id && other.split(':').length === 5 && profileTypeName(other) === name,
  );
  if (!isShared) return name;
  const { name: profile, sampleUnit } = parseProfileType(id);
  const more = ids.filter(
    (other) =>
      other.split(':').length === 5 &&
      profileTypeName(other) === name &&
      parseProfileType(other).name === profile,
  );
  return more.length > 1 ? `${name} (${profile}, ${sampleUnit})` : `${name} (${profile})`;
}

/** Labels that become the top rows of the flame graph, in the order in which they were chosen. */
export function GroupByPicker() {
  const { session } = usePage();
  const { groupBy } = useView();
  const names = useSignal(session.labelNames.state).value ?? [];
  const all = [...groupBy, ...names.filter((name) => !groupBy.includes(name))];
  const toggle = (name: string): void => {
    const next = groupBy.includes(name) ? groupBy.filter((other) => other !== name) : [...groupBy, name];
    session.setView({ groupBy: next, focus: [] }, 'push');
  };
  const words = groupBy.length === 0 ? 'nothing' : groupBy.join(' ▸ ');
  return (
    <Popover
      label="Group the flame graph by labels"
      testId="group-by"
      buttonClass="button picker"
      button={
        <>
          <span className="muted">by</span> <span className="picker-value">{words}</span> <ChevronIcon />
        </>
      }
    >
      {() => (
        <fieldset className="check-list">
          <legend>Top rows, outermost first</legend>
          {all.map((name) => (
            <label key={name}>
              <input type="checkbox" checked={groupBy.includes(name)} onChange={() => toggle(name)} />
              <span className="check-order">{groupBy.includes(name) ? groupBy.indexOf(name) + 1 : ''}</span>
              <code>{name}</code>
            </label>
          ))}
          {all.length === 0 && <p className="muted">No labels in this range.</p>}
        </fieldset>
      )}
    </Popover>
  );
}

/** The label that the chart is stacked by. */
export function ChartByPicker() {
  const { session } = usePage();
  const { chartBy } = useView();
  const names = useSignal(session.labelNames.state).value ?? [];
  const all = names.includes(chartBy) || chartBy === '' ? names : [chartBy, ...names];
  return (
    <label className="select small" title="Stack the chart by a label">
      <span className="muted">by</span>
      <span className="visually-hidden">Stack the chart by</span>
      <select
        data-testid="chart-by"
        value={chartBy}
        onChange={(event) => session.setView({ chartBy: event.target.value }, 'push')}
      >
        <option value="">nothing</option>
        {all.map((name) => (
          <option key={name} value={name}>
            {name}
          </option>
        ))}
      </select>
      <ChevronIcon />
    </label>
  );
}

const THEME_NAMES: Readonly<Record<ThemeChoice, string>> = { system: 'System', light: 'Light', dark: 'Dark' };

export function ThemePicker() {
  const { theme } = usePage();
  const choice = useSignal(theme.choice);
  const Icon = { system: SystemIcon, light: SunIcon, dark: MoonIcon }[choice];
  return (
    <Popover
      label={`Theme: ${THEME_NAMES[choice].toLowerCase()}`}
      testId="theme"
      buttonClass="icon-button"
      align="end"
      button={<Icon />}
    >
      {(close) => (
        <div className="menu" role="radiogroup" aria-label="Theme">
          {THEME_CHOICES.map((option) => (
            <button
              key={option}
              type="button"
              role="radio"
              aria-checked={option === choice}
              data-autofocus={option === choice ? '' : undefined}
              onClick={() => {
                theme.choose(option);
                close();
              }}
            >
              {THEME_NAMES[option]}
            </button>
          ))}
        </div>
      )}
    </Popover>
  );
}
