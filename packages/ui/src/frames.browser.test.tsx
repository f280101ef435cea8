import { BlockBuilder, STOPPED_MAPPING_FILE, stoppedFrameName, type Block } from '@fleetflame/profile';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { page, userEvent } from 'vitest/browser';
import { openPage, type OpenPage } from './testing/open-page.tsx';

const SECOND = 1_000_000_000;
const OLD_BUILD = 'aa11223344556677';
const NEW_BUILD = 'bb99887766554433';

/** One build of a program: main calls work, which has scan inlined; libz is stripped; some stacks end early. */
function makeBlock(buildId: string, workLine: number): Block {
  const builder = new BlockBuilder();
  const text = (string: string): number => builder.string(string);
  const timeMs = Math.floor(Date.now() / 1000) * 1000 - 60_000;
  const series = builder.series('process_cpu:cpu:nanoseconds:cpu:nanoseconds', 1e7, { service_name: 'shop' });
  const app = builder.mapping(text('/usr/bin/shop'), text(buildId), 'native');
  const libz = builder.mapping(text('/usr/lib/libz.so.1'), text('cc00'), 'native');
  const marker = builder.mapping(text(STOPPED_MAPPING_FILE), 0, 'unknown');
  const fn = (name: string, line: number): number =>
    builder.function(text(name), text(name), text('src/shop.c'), line);
  const stoppedName = text(stoppedFrameName('no_row'));
  const main = builder.stack(0, builder.location(app, 0x10, 0, [fn('main', 3), 5]));
  const at = (address: number, lines: number[]): number =>
    builder.stack(main, builder.location(app, address, 0, lines));
  builder.add(series, at(0x20, [fn('work', workLine), workLine + 2]), timeMs, 6 * SECOND);
  builder.add(series, at(0x24, [fn('work', workLine), workLine + 5]), timeMs, SECOND);
  builder.add(series, at(0x30, [fn('scan', 90), 92, fn('work', workLine), workLine + 7]), timeMs, 2 * SECOND);
  const stopped = builder.stack(
    0,
    builder.location(marker, 0, 0, [builder.function(stoppedName, stoppedName, 0, 0), 0]),
  );
  builder.add(series, builder.stack(stopped, builder.location(libz, 0x40, 0, [])), timeMs, SECOND);
  return builder.build();
}

const consoleError = vi.spyOn(console, 'error');
let opened: OpenPage;
const open = (address: string, blocks: readonly Block[]): void => {
  opened = openPage(
    address,
    () => blocks,
    [],
    [
      { buildId: 'cc00', fileName: 'libz.so.1', symbols: 88n, source: 'dynsym' },
      { buildId: OLD_BUILD, fileName: 'shop', symbols: 12n, source: 'dwarf', lines: 400n, inlines: 30n },
    ],
  );
};
const rowsOf = (testId: string): string[] =>
  [...document.querySelectorAll(`[data-testid="${testId}"] tbody tr`)].map((row) =>
    [...row.querySelectorAll('th, .amount')].map((cell) => cell.textContent).join(' '),
  );

/** Puts the pointer on a box: `row` 0 is the root, row 1 the service, which is taller. */
async function hover(share: number, row: number): Promise<void> {
  const canvas = document.querySelector<HTMLElement>('[data-testid="flame-canvas"]');
  if (canvas === null) throw new Error('There is no flame graph.');
  await userEvent.hover(canvas, {
    position: { x: canvas.clientWidth * share, y: row < 2 ? 10 + row * 20 : 56 + (row - 2) * 20 },
  });
}

beforeEach(() => page.viewport(1440, 900));
afterEach(() => {
  expect(opened.errors).toEqual([]);
  expect(consoleError).not.toHaveBeenCalled();
  opened.close();
  localStorage.clear();
});

describe('a box', () => {
  test('says its kind, binary, build and place in the source', async () => {
    open('/?v=1', [makeBlock(OLD_BUILD, 10)]);
    await expect.element(page.getByRole('treeitem', { name: /^scan/u })).toBeInTheDocument();
    // The marker, a tenth of all, comes before main: siblings are in the order of their names.
    await hover(0.5, 3);
    const tooltip = page.getByTestId('flame-tooltip');
    await expect
      .element(tooltip)
      .toMatchTextContent(/work.*native code.*shop.*aa1122334455….*src\/shop\.c:10/u);
    await hover(0.12, 4);
    await expect.element(tooltip).toMatchTextContent(/scan.*inlined into its caller.*src\/shop\.c:90/u);
  });

  test('in place of missing callers says why they are missing and what helps', async () => {
    open('/?v=1', [makeBlock(OLD_BUILD, 10)]);
    await expect
      .element(page.getByRole('treeitem', { name: /^\[unwind stopped: no row\]/u }))
      .toBeInTheDocument();
    await hover(0.05, 2);
    await expect
      .element(page.getByTestId('flame-tooltip'))
      .toMatchTextContent(/\[unwind stopped: no row\].*callers of these stacks are missing.*CFI directives/u);
  });
});

describe('the selected function', () => {
  // Ten seconds of data in the default range of fifteen minutes: averages are over the range.
  test('shows the lines that its time went to, called and inlined', async () => {
    open('/?v=1', [makeBlock(OLD_BUILD, 10)]);
    await page.getByRole('row', { name: /^work/u }).click();
    await expect
      .poll(() => rowsOf('function-lines'))
      .toEqual(['shop.c:12 0.00667 0.00667', 'shop.c:15 0.00111 0.00111', 'shop.c:17 0 0.00222']);
    const details = page.getByTestId('function-details');
    await expect.element(details).toMatchTextContent(/native.*shop.*aa1122334455….*src\/shop\.c:10/u);
    await page.getByRole('row', { name: /^scan/u }).click();
    await expect.poll(() => rowsOf('function-lines')).toEqual(['shop.c:92 0.00222 0.00222']);
    await expect.element(details).toMatchTextContent('inlined');
    await page.getByRole('button', { name: 'Close the details' }).click();
    await expect.element(details).not.toBeInTheDocument();
  });

  test('chosen while the page refreshes shows its lines all the same', async () => {
    open('/?v=1', [makeBlock(OLD_BUILD, 10)]);
    await expect.element(page.getByRole('row', { name: /^work/u })).toBeInTheDocument();
    const id = opened.session.top.state.get().value?.functions.find(({ name }) => name === 'work')?.id;
    const refreshed = opened.session.refresh();
    opened.session.setView({ selected: id ?? '' }, 'replace');
    await refreshed;
    await expect.poll(() => rowsOf('function-lines')).toHaveLength(3);
  });

  test('of two builds says so, and what each has', async () => {
    open('/?v=1', [makeBlock(OLD_BUILD, 10), makeBlock(NEW_BUILD, 11)]);
    await page.getByRole('row', { name: /^work/u }).click();
    await expect.element(page.getByTestId('function-details')).toMatchTextContent('several builds');
    await expect
      .poll(() => rowsOf('function-builds').map((row) => row.slice(0, 12)))
      .toEqual([OLD_BUILD.slice(0, 12), NEW_BUILD.slice(0, 12)]);
  });

  test('without lines says why there are none', async () => {
    open('/?v=1', [makeBlock(OLD_BUILD, 10)]);
    await page.getByRole('row', { name: /libz\.so\.1\+0x40/u }).click();
    await expect.element(page.getByTestId('function-details')).toMatchTextContent('Its lines are not known');
  });
});

test('incomplete stacks are counted by reason, and can be marked in the graph', async () => {
  open('/?v=1', [makeBlock(OLD_BUILD, 10)]);
  const chip = page.getByTestId('stopped');
  await expect.element(chip).toMatchTextContent('10.0 % incomplete stacks');
  await chip.click();
  const panel = page.getByTestId('stopped-panel');
  await expect.element(panel).toMatchTextContent(/10.0 % of CPU.*no row.*libz\.so\.1 10.0 %/u);
  await page.getByRole('button', { name: 'Mark them there' }).click();
  await expect.element(page.getByTestId('search-result')).toMatchTextContent('10.0 %');
});

describe('the binaries', () => {
  test('are reached from the accounting, with what the server has and what helps', async () => {
    open('/?v=1', [makeBlock(OLD_BUILD, 10), makeBlock(NEW_BUILD, 11)]);
    await page.getByTestId('unnamed').click();
    await page.getByTestId('show-symbols').click();
    expect(location.search).toContain('view=symbols');
    const view = page.getByTestId('symbols-view');
    await expect
      .element(view)
      .toMatchTextContent('3 binaries in this answer; 10.0 % of CPU has no function name, in 1');
    await expect
      .element(view.getByRole('row', { name: /^libz\.so\.1/u }))
      .toMatchTextContent(
        /0\.200 cores.*10\.0 %.*only exported functions.*88 functions.*symbols do not reach|not uploaded/u,
      );
    await expect
      .element(view.getByRole('row', { name: /aa1122334455/u }))
      .toMatchTextContent('functions, lines, inlined calls12 functions · 400 line rows · 30 inlined calls');
    await expect
      .element(view.getByRole('row', { name: /bb9988776655/u }))
      .toMatchTextContent('not on the server');
  });

  test('are searched by name and build id, from a link', async () => {
    open('/?v=1&view=symbols&q=cc00', [makeBlock(OLD_BUILD, 10)]);
    const view = page.getByTestId('symbols-view');
    await expect.element(view.getByRole('row', { name: /^libz/u })).toBeInTheDocument();
    await expect.element(view.getByRole('row', { name: /^shop/u })).not.toBeInTheDocument();
    await page.getByTestId('search-input').fill('nothing like it');
    await expect.element(view).toMatchTextContent('No binary matches the search.');
  });
});
