import { Code, ConnectError } from '@connectrpc/connect';
import { BlockBuilder, type Block } from '@fleetflame/profile';
import { blockFromText, blocksOfSnapshots } from '@fleetflame/profile/testing';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { page, userEvent } from 'vitest/browser';
import { openPage, type OpenPage } from './testing/open-page.tsx';

/** Minutes ago, as a whole second. */
const ago = (minutes: number): number => Math.floor(Date.now() / 1000) * 1000 - minutes * 60_000;
const SECOND = 1_000_000_000;

/** Blocks that stay where they are while the test goes on. */
function makeFleet(): readonly Block[] {
  const now = ago(1);
  return [
    blockFromText(
      `main;handle;parse_json ${30 * SECOND}
       main;handle;write ${10 * SECOND}
       main;collect ${20 * SECOND}`,
      { labels: { service_name: 'checkout', host_name: 'web-1' }, timeMs: now },
    ),
    blockFromText(
      `main;ServerLoop;exec_query ${35 * SECOND}
       main;ServerLoop;exec_query;exec_query;sort ${5 * SECOND}`,
      { labels: { service_name: 'postgres', host_name: 'db-1' }, timeMs: now },
    ),
  ];
}

const consoleError = vi.spyOn(console, 'error');
let opened: OpenPage;
let made: readonly Block[] = [];
const fleet = (): readonly Block[] => made;
let blocks: () => readonly Block[] = fleet;
const open = (address = '/?v=1'): void => {
  opened = openPage(address, () => blocks());
};
const focusOf = (): readonly string[] => opened.session.url.view.get().focus;
const box = (name: RegExp) => page.getByRole('treeitem', { name });
const rowNames = (): (string | null)[] =>
  [...document.querySelectorAll('.function-name')].map((element) => element.textContent);

/** A pixel of a box, as red,green,blue,alpha. */
function pixel(): string {
  const canvas = document.querySelector<HTMLCanvasElement>('.flame-canvases canvas');
  const data = canvas?.getContext('2d')?.getImageData(200, 56, 1, 1).data;
  return [...(data ?? [])].join();
}

/** Clicks the middle of a box of the flame graph, found by its place in the tree of the profile. */
async function clickBox(share: number, row: number): Promise<void> {
  const canvas = document.querySelector<HTMLElement>('[data-testid="flame-canvas"]');
  if (canvas === null) throw new Error('There is no flame graph.');
  // Row 0 is the root, row 1 the service, which is taller.
  const y = row < 2 ? 10 + row * 20 : 46 + (row - 2) * 20 + 10;
  await userEvent.click(canvas, { position: { x: canvas.clientWidth * share, y } });
}

beforeEach(async () => {
  made = makeFleet();
  blocks = fleet;
  await page.viewport(1440, 900);
});
afterEach(() => {
  expect(opened.errors).toEqual([]);
  expect(consoleError).not.toHaveBeenCalled();
  opened.close();
  localStorage.clear();
});

describe('the page', () => {
  test('answers where the CPU goes', async () => {
    open();
    await expect.element(page.getByTestId('total')).toMatchTextContent(/^\d/u);
    await expect.element(page.getByTestId('headline')).toMatchTextContent('2 services · 2 hosts');
    await expect.element(box(/^checkout, .* 60.0 %/u)).toBeInTheDocument();
    await expect.element(page.getByTestId('chart-legend')).toMatchTextContent('postgres');
    expect(rowNames().slice(0, 2)).toEqual(['exec_query', 'parse_json']);
  });

  test('says what kind of values it shows, in the words of Prometheus', async () => {
    const [inUse, allocated] = ['inuse_space', 'alloc_space'].map(
      (name) => `memory:${name}:bytes:space:bytes`,
    );
    const timeMs = ago(1);
    const heap = (kind: 'gauge' | 'cumulative', type = '') =>
      blocksOfSnapshots(kind, { service_name: 'api' }, [{ timeMs, values: { 'main;fill': 4096 } }], type);
    const own = [...heap('gauge', inUse), ...heap('cumulative', allocated)];
    blocks = () => own;
    open();
    await expect.element(page.getByTestId('kind')).toMatchTextContent('gauge');
    await expect.element(page.getByTestId('headline')).toMatchTextContent('mean over');
    await userEvent.selectOptions(page.getByTestId('profile-type'), 'Alloc space');
    await expect.element(page.getByTestId('kind')).toMatchTextContent('counter');
    await expect.element(page.getByTestId('headline')).toMatchTextContent('increase in');
  });

  test('a click focuses a box, and Escape goes back', async () => {
    open();
    await expect.element(box(/^parse_json/u)).toBeInTheDocument();
    await clickBox(0.4, 3);
    await expect.poll(focusOf).toEqual(['checkout', 'main', 'handle']);
    await expect.element(page.getByTestId('announcements')).toMatchTextContent('Focused handle');
    expect(location.hash).toBe('#focus=checkout~main~handle');
    await userEvent.keyboard('{Escape}');
    await expect.poll(focusOf).toEqual([]);
  });

  test('the browser’s Back leaves a focus, and a link to it shows it again', async () => {
    open('/?v=1#focus=checkout~main~handle');
    await expect.element(page.getByRole('navigation', { name: 'Focused box' })).toMatchTextContent('handle');
    await page.getByRole('button', { name: 'checkout', exact: true }).click();
    await expect.poll(focusOf).toEqual(['checkout']);
    window.history.back();
    await expect.poll(focusOf).toEqual(['checkout', 'main', 'handle']);
  });

  test('a search says its share, filters the table and cycles through the boxes', async () => {
    open();
    await expect.element(box(/^sort/u)).toBeInTheDocument();
    await userEvent.keyboard('/');
    await userEvent.keyboard('exec_query');
    // 40 of 100 seconds, though the function is on one stack twice.
    await expect.element(page.getByTestId('search-result')).toMatchTextContent('40.0 % 2 boxes');
    expect(rowNames()).toEqual(['exec_query']);
    await userEvent.keyboard('{Enter}');
    await expect.element(page.getByTestId('search-result')).toMatchTextContent('1 of 2');
    await userEvent.keyboard('{Escape}');
    await expect.poll(() => opened.session.url.view.get().search).toBe('');
  });

  test('the keyboard alone reaches a box, focuses it and comes back', async () => {
    open();
    await expect.element(box(/^parse_json/u)).toBeInTheDocument();
    const tree = page.getByRole('tree');
    await userEvent.keyboard('{ArrowDown}{ArrowDown}{ArrowDown}{ArrowDown}');
    await expect.element(page.getByRole('treeitem', { selected: true })).toMatchTextContent(/^handle/u);
    await expect.element(tree).toHaveAttribute('aria-activedescendant');
    await userEvent.keyboard('{ArrowLeft}');
    await expect.element(page.getByRole('treeitem', { selected: true })).toMatchTextContent(/^collect/u);
    await userEvent.keyboard('{Enter}');
    await expect.poll(focusOf).toEqual(['checkout', 'main', 'collect']);
    await userEvent.keyboard('{Backspace}');
    await expect.poll(focusOf).toEqual(['checkout', 'main']);
  });

  test('columns of the table sort, and a row marks the boxes of its function', async () => {
    open();
    await expect.poll(rowNames).toHaveLength(8);
    await page.getByRole('columnheader', { name: 'Total' }).getByRole('button').click();
    await expect.poll(() => rowNames()[0]).toBe('main');
    await page.getByRole('columnheader', { name: 'Function' }).getByRole('button').click();
    await expect.poll(rowNames).toEqual([...rowNames()].toSorted((a, b) => ((a ?? '') < (b ?? '') ? -1 : 1)));
    const row = page.getByRole('row', { name: /collect/u });
    await row.click();
    await expect.element(row).toHaveAttribute('aria-selected', 'true');
    expect(opened.session.url.view.get().selected).not.toBe('');
  });

  test('the selector completes names, operators and values with the keyboard', async () => {
    open();
    await expect.element(box(/^postgres/u)).toBeInTheDocument();
    await userEvent.keyboard('{Control>}k{/Control}');
    await userEvent.keyboard('serv');
    await expect.element(page.getByRole('listbox', { name: 'Label names' })).toBeInTheDocument();
    await userEvent.keyboard('{Enter}');
    await userEvent.keyboard('=');
    await expect
      .element(page.getByRole('listbox').getByRole('option', { name: /postgres .* cores/u }))
      .toBeInTheDocument();
    await userEvent.keyboard('post');
    await expect.poll(() => document.querySelectorAll('[role="listbox"] [role="option"]').length).toBe(1);
    await userEvent.keyboard('{Enter}');
    await expect.poll(() => opened.session.url.view.get().selector).toBe('{service_name="postgres"}');
    await expect.element(page.getByTestId('headline')).toMatchTextContent('40.0 %');
    await expect.poll(() => rowNames().includes('parse_json')).toBe(false);
  });

  test('a selector that cannot be read says where and why', async () => {
    open();
    await page.getByTestId('selector-input').fill('{service_name=postgres}');
    await userEvent.keyboard('{Enter}');
    await expect.element(page.getByRole('alert')).toMatchTextContent('Column 15');
    expect(opened.session.url.view.get().selector).toBe('');
  });

  test('another theme draws the flame graph anew', async () => {
    open();
    await expect.element(box(/^parse_json/u)).toBeInTheDocument();
    await page.getByTestId('theme').click();
    await page.getByRole('radio', { name: 'Light' }).click();
    await expect.poll(pixel).not.toBe('');
    const light = pixel();
    await page.getByTestId('theme').click();
    await page.getByRole('radio', { name: 'Dark' }).click();
    await expect.poll(pixel).not.toBe(light);
    expect(document.documentElement.dataset['theme']).toBe('dark');
  });

  test('the sheet lists the keys', async () => {
    open();
    await expect.element(page.getByTestId('function-table')).toBeInTheDocument();
    await userEvent.keyboard('?');
    await expect
      .element(page.getByRole('dialog', { name: 'Keyboard shortcuts' }))
      .toMatchTextContent('Next match');
    await userEvent.keyboard('{Escape}');
    await expect.element(page.getByRole('dialog', { name: 'Keyboard shortcuts' })).not.toBeInTheDocument();
  });

  test('layouts show one panel or both', async () => {
    open();
    await page.getByTestId('layout-table').click();
    await expect.element(page.getByTestId('flame-graph')).not.toBeInTheDocument();
    await page.getByTestId('layout-flame').click();
    await expect.element(page.getByTestId('flame-graph')).toBeInTheDocument();
    await expect.element(page.getByTestId('function-table')).not.toBeInTheDocument();
  });
});

describe('nothing to show', () => {
  test('an empty store says how to start the agent', async () => {
    blocks = () => [];
    open();
    await expect.element(page.getByTestId('empty-store')).toMatchTextContent('./fleetflame up');
  });

  test('an empty range leads to the newest data', async () => {
    const old = blockFromText(`main ${SECOND}`, { timeMs: ago(600) });
    blocks = () => [old];
    open();
    await expect.element(page.getByTestId('empty-range')).toMatchTextContent('10 h old');
    await page.getByRole('button', { name: 'Go to the newest data' }).click();
    await expect.element(page.getByTestId('flame-graph')).toBeInTheDocument();
  });

  test('a selector that matches nothing can be taken away condition by condition', async () => {
    open('/?v=1&scope=%7Bservice_name%3D%22gone%22%2Chost_name%3D%22db-1%22%7D');
    await page.getByRole('button', { name: /service_name="gone"/u }).click();
    await expect.element(box(/^postgres/u)).toBeInTheDocument();
    expect(opened.session.url.view.get().selector).toBe('{host_name="db-1"}');
  });

  test('frames without a name are counted, with the reason and what helps', async () => {
    blocks = () => {
      const builder = new BlockBuilder();
      const mapping = builder.mapping(builder.string('/usr/bin/fraudd'), builder.string('ab12'), 'native');
      const series = builder.series('process_cpu:cpu:nanoseconds:cpu:nanoseconds', 1e7, {
        service_name: 'fraudd',
      });
      builder.add(series, builder.stack(0, builder.location(mapping, 4096, 0, [])), ago(1), SECOND);
      return [builder.build()];
    };
    open();
    await page.getByTestId('unnamed').click();
    await expect.element(page.getByTestId('unnamed-panel')).toMatchTextContent('fraudd');
    await expect.element(page.getByTestId('unnamed')).toMatchTextContent('100.0 % without a name');
  });
});

describe('when something is wrong', () => {
  test('a failed query says what failed, and trying again shows the data', async () => {
    blocks = () => {
      throw new ConnectError('the object store did not answer', Code.Unavailable);
    };
    open();
    const failure = page.getByTestId('query-error');
    await expect.element(failure).toMatchTextContent('unavailable the object store did not answer');
    blocks = fleet;
    await failure.getByRole('button', { name: 'Try again' }).click();
    await expect.element(box(/^checkout/u)).toBeInTheDocument();
    await expect.element(failure).not.toBeInTheDocument();
  });

  test('a failed refresh keeps what is known', async () => {
    open();
    await expect.element(box(/^checkout/u)).toBeInTheDocument();
    blocks = () => {
      throw new ConnectError('restarting', Code.Unavailable);
    };
    await opened.session.refresh();
    await expect.element(page.getByTestId('query-error')).toMatchTextContent('Showing the data from before');
    await expect.element(box(/^checkout/u)).toBeInTheDocument();
  });

  test('missing blocks are named, and the numbers are called lower bounds', async () => {
    const missing = [
      { blockId: 'b7', fromMs: BigInt(ago(5)), toMs: BigInt(ago(4)), reason: 'checksum does not match' },
    ];
    opened = openPage('/?v=1', blocks, missing);
    await expect.element(page.getByTestId('partial')).toMatchTextContent('1 of 3 blocks missing');
    await expect.element(page.getByTestId('total')).toMatchTextContent(/^≥/u);
  });

  test('a link that cannot be read in full says so and shows the rest', async () => {
    open('/?v=1&view=pie&q=write');
    await expect.element(page.getByTestId('link-problems')).toMatchTextContent('“view”');
    await expect.element(page.getByTestId('search-result')).toMatchTextContent('10.0 %');
  });
});

test('live data goes on without losing focus, and stands still when paused', async () => {
  let extra: readonly Block[] = [];
  blocks = () => [...fleet(), ...extra];
  open('/?v=1#focus=checkout~main');
  await expect.element(box(/^checkout, .* 60.0 %/u)).toBeInTheDocument();
  extra = [blockFromText(`main ${100 * SECOND}`, { labels: { service_name: 'batch' }, timeMs: ago(1) })];
  await opened.session.refresh();
  await expect.element(box(/^checkout, .* 30.0 %/u)).toBeInTheDocument();
  expect(focusOf()).toEqual(['checkout', 'main']);
  await page.getByTestId('pause').click();
  const window = opened.session.window.get();
  await page.getByTestId('chart-by').selectOptions('host_name');
  await expect.element(page.getByTestId('chart-legend')).toMatchTextContent('web-1');
  expect(opened.session.window.get()).toEqual(window);
});

test('a pinned link shows the same window to whoever opens it', async () => {
  open('/?v=1&q=write&dir=flame#focus=checkout');
  await expect.element(box(/^checkout/u)).toBeInTheDocument();
  await page.getByTestId('share').click();
  const link = new URL(page.getByTestId('copy-pinned').element().getAttribute('data-link') ?? '');
  const { fromMs, toMs } = opened.session.window.get();
  opened.close();
  open(link.search + link.hash);
  await expect.element(box(/^checkout/u)).toBeInTheDocument();
  expect(opened.session.url.view.get()).toMatchObject({
    range: { kind: 'absolute', fromMs, toMs },
    search: 'write',
    direction: 'flame',
    focus: ['checkout'],
  });
});

/** Whether the browser goes on with its own way, of dragging over the page and of dropping. */
const dropOnPage = (fill: (items: DataTransferItemList) => void): readonly boolean[] => {
  const dataTransfer = new DataTransfer();
  fill(dataTransfer.items);
  return ['dragover', 'drop'].map((type) =>
    document.body.dispatchEvent(new DragEvent(type, { dataTransfer, bubbles: true, cancelable: true })),
  );
};

test('a file that is dropped does not replace the page, which says how to store it; text is dropped as ever', async () => {
  open('/?v=1#focus=checkout');
  await expect.element(box(/^checkout/u)).toBeInTheDocument();
  expect(dropOnPage((items) => items.add('words', 'text/plain'))).toEqual([true, true]);
  // False: what the browser would have done is off.
  expect(dropOnPage((items) => items.add(new File(['x'], 'cpu.pb.gz')))).toEqual([false, false]);
  await expect.element(page.getByTestId('toast')).toMatchTextContent('fleetflame push FILE');
});
