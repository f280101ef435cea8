import { BlockBuilder, encodeBlock, type Block } from '@fleetflame/profile';
import { blockFromText } from '@fleetflame/profile/testing';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Product, run, until } from './support/product.ts';
import { Workshop } from './support/workloads.ts';

/** Nanoseconds per line: 100 s in all, of which parse has 60, render 30, flush 10. */
const STACKS = [
  'main;serve;parse 60000000000',
  'main;serve;render 30000000000',
  'main;flush 10000000000',
].join('\n');

const CHROMIUM = {
  executablePath: '/usr/bin/chromium',
  args: [
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
  ],
};

describe('the page against the real server', () => {
  let product: Product;
  let browser: Browser;
  let page: Page;
  let complaints: string[];

  beforeAll(async () => {
    product = await Product.start({ args: ['--no-agent'] });
    const now = Date.now();
    for (const [seq, [service, agoMs]] of (
      [
        ['shop', 60_000],
        ['shop', 120_000],
        ['bank', 90_000],
      ] as const
    ).entries()) {
      const block = blockFromText(STACKS, {
        timeMs: Math.floor((now - agoMs) / 1000) * 1000,
        labels: { service_name: service, host_name: 'host-a' },
      });
      await product.ingest.write({ agentId: 'page', seq: BigInt(seq), block: encodeBlock(block) });
    }
    browser = await chromium.launch(CHROMIUM);
  });

  afterAll(async () => {
    await browser?.close();
    await product?.stop();
    await product?.remove();
  });

  beforeEach(async () => {
    complaints = [];
    page = await open('/');
  });

  afterEach(async () => {
    await page.context().close();
    expect(complaints).toEqual([]);
  });

  it('shows totals, services and functions that add up', async () => {
    // 300 s of CPU in three writes.
    await page.getByTestId('total').waitFor();
    const table = page.getByTestId('function-table');
    for (const name of ['parse', 'render', 'flush']) await table.getByText(name, { exact: true }).waitFor();
    await table.getByText('60.0 %').first().waitFor();
    await page.getByTestId('chart-legend').getByText('shop').waitFor();
    expect(await page.getByTestId('chart-legend').textContent()).toContain('bank');
    expect(await page.getByTestId('partial').count()).toBe(0);
  });

  it('search highlights, counts and cycles through matches', async () => {
    await page.keyboard.press('/');
    await page.keyboard.type('parse');
    await result(/60\.0 %/);
    await page.getByTestId('search-input').fill('/^(parse|flush)$/');
    await result(/70\.0 %/);
    await page.getByTestId('search-input').fill('no such function');
    await result(/no|0/i);
    expect(decodeURIComponent(page.url())).toContain('no');
  });

  it('a click focuses a box, Escape zooms out again', async () => {
    const canvas = page.getByTestId('flame-graph');
    const box = (await canvas.boundingBox()) ?? { x: 0, y: 0, width: 0, height: 0 };
    await page.getByText('main', { exact: true }).first().waitFor({ state: 'attached' });
    // The third row is main below bank: it fills the left third.
    await clickTreeItem(/^main/);
    await breadcrumbs(/main/);
    expect(page.url()).toMatch(/main/);
    await page.mouse.move(box.x + 5, box.y + 5);
    await page.keyboard.press('Escape');
    await page.waitForFunction(() => !location.href.includes('main'));
  });

  it('sorts the table by a click on a column', async () => {
    const header = page.getByTestId('function-table').getByRole('columnheader', { name: /Function/ });
    await header.getByRole('button').or(header).first().click();
    await page.waitForFunction(
      () =>
        document
          .querySelector('[role=columnheader][aria-sort=ascending]')
          ?.textContent?.includes('Function') === true,
    );
    const rows = await page.getByTestId('function-table').getByRole('row').allTextContents();
    expect(rows.slice(1, 4).map((row) => /^[a-z]+/.exec(row.trim())?.[0])).toEqual([
      'flush',
      'main',
      'parse',
    ]);
  });

  it('narrows to a selector with completion, and a link gives the same view', async () => {
    await page.getByTestId('selector-input').click();
    await page.keyboard.type('{service_na');
    await page
      .getByRole('option', { name: /service_name/ })
      .first()
      .waitFor();
    await page.getByTestId('selector-input').fill('{service_name="bank"}');
    await page.keyboard.press('Enter');
    await page.waitForFunction(
      () => document.querySelector('[data-testid=chart-legend]')?.textContent?.includes('shop') === false,
    );
    await page.getByTestId('search-input').fill('render');
    await result(/30\.0 %/);
    const other = await open(page.url().replace(product.url, ''));
    await other
      .getByTestId('search-result')
      .getByText(/30\.0 %/)
      .waitFor();
    expect(await other.getByTestId('selector-input').inputValue()).toBe('{service_name="bank"}');
    expect(await other.getByTestId('total').textContent()).toBe(
      await page.getByTestId('total').textContent(),
    );
    expect(await other.getByTestId('chart-legend').textContent()).not.toContain('shop');
    await other.context().close();
  });

  it('changes the time range, and says so when there is nothing in it', async () => {
    const past = Date.UTC(2026, 0, 1);
    const empty = await open(`/?v=1&t=${past}..${past + 60_000}`);
    await empty
      .getByText(/no (data|profiles|samples)/i)
      .first()
      .waitFor();
    await empty.context().close();
    const before = page.url();
    await page.getByRole('button', { name: 'Time range' }).click();
    await page.getByRole('radio', { name: 'Last 1 h', exact: true }).click();
    await page.waitForFunction((url) => location.href !== url, before);
    await page.getByTestId('function-table').getByText('parse', { exact: true }).waitFor();
    await page.goBack();
    await page.waitForFunction((url) => location.href === url, before);
    expect(await page.getByRole('button', { name: 'Time range' }).textContent()).toContain('15 min');
  });

  it('a selector that is wrong is refused with its position, and the old data stays', async () => {
    await page.getByTestId('selector-input').fill('{service_name=shop}');
    await page.keyboard.press('Enter');
    await page.getByRole('alert').first().waitFor();
    expect(await page.getByTestId('function-table').getByText('parse', { exact: true }).count()).toBe(1);
  });

  it('is dark where the system is dark, and repaints', async () => {
    const colourOf = async (): Promise<string> =>
      await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const picture = async (): Promise<string> =>
      (await page.getByTestId('flame-graph').screenshot()).toString('base64');
    await page.getByTestId('function-table').getByText('parse', { exact: true }).waitFor();
    const [light, lightPicture] = [await colourOf(), await picture()];
    await page.emulateMedia({ colorScheme: 'dark' });
    await page.waitForFunction((colour) => getComputedStyle(document.body).backgroundColor !== colour, light);
    expect(await picture()).not.toBe(lightPicture);
  });

  it('works by keyboard alone', async () => {
    await page.keyboard.press('/');
    await page.keyboard.type('serve');
    await result(/90\.0 %/);
    await page.keyboard.press('Enter');
    await page.keyboard.press('Escape');
    await page.getByTestId('flame-graph').focus();
    for (const key of ['ArrowDown', 'ArrowDown', 'ArrowDown']) await page.keyboard.press(key);
    await page.keyboard.press('Enter');
    await page.waitForFunction(() => location.href.includes('main'));
    await page.keyboard.press('Escape');
    await page.waitForFunction(() => !location.href.includes('main'));
    await page.keyboard.press('?');
    await page.getByRole('dialog').waitFor();
    expect(await page.getByRole('dialog').textContent()).toContain('Search');
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
  });

  it('shows inlined calls and lines once the symbols of a binary are there, and says so of the binary', async () => {
    const workshop = await Workshop.open();
    try {
      const program = await workshop.c('inlined', ['-O1', '-g']);
      const atMs = Math.floor(Date.now() / 1000) * 1000 - 3 * 3_600_000;
      const block = await everyAddressOf(program, 'work', atMs);
      await product.ingest.write({ agentId: 'inlined', seq: 0n, block: encodeBlock(block) });
      const range = `?v=1&t=${new Date(atMs - 5000).toISOString()}..${new Date(atMs + 5000).toISOString()}`;

      const before = await open(`/${range}&view=symbols`);
      const row = before.getByTestId('symbols-view').getByRole('row', { name: /^inlined/ });
      await row.getByText('Its symbols are not uploaded.').waitFor();
      await row.getByText('not on the server').waitFor();
      await before.context().close();

      const pushed = await product.cli('symbols', 'push', program);
      expect(pushed.code, pushed.stderr).toBe(0);
      const after = await open(`/${range}`);
      const scan = after.getByTestId('function-table').getByText('scan', { exact: true });
      await until(
        'the names',
        async () => {
          await after.keyboard.press('r');
          return await scan.count();
        },
        (count) => count === 1,
      );
      await scan.click();
      const details = after.getByTestId('function-details');
      await details
        .getByText(/inlined\.c:4$/)
        .first()
        .waitFor();
      await details
        .getByRole('definition')
        .filter({ hasText: /^inlined$/ })
        .waitFor();
      const shown = details.getByTestId('function-lines').getByRole('rowheader');
      await shown.first().waitFor();
      const lines = await shown.allTextContents();
      for (const line of lines) expect(line).toMatch(/^inlined\.c:([4-9]|10)$/);
      await after.getByTestId('layout-symbols').click();
      await after.getByTestId('symbols-view').getByText('functions, lines, inlined calls').waitFor();
      await after.context().close();
    } finally {
      await workshop.close();
    }
  });

  async function open(path: string): Promise<Page> {
    const context = await browser.newContext({
      viewport: { width: 1440, height: 900 },
      colorScheme: 'light',
    });
    const opened = await context.newPage();
    // A bound for what never comes; a busy machine takes its time.
    opened.setDefaultTimeout(90_000);
    opened.on('console', (message) => {
      if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text());
    });
    opened.on('pageerror', (error) => complaints.push(error.message));
    await opened.goto(`${product.url}${path}`);
    await opened.getByTestId('status-bar').or(opened.locator('.empty')).first().waitFor();
    return opened;
  }

  async function result(pattern: RegExp): Promise<void> {
    await page.getByTestId('search-result').getByText(pattern).waitFor();
  }

  async function breadcrumbs(pattern: RegExp): Promise<void> {
    await page.getByRole('navigation', { name: 'Focused box' }).getByText(pattern).first().waitFor();
  }

  /** Clicks the canvas where the accessible tree says that the box is. */
  async function clickTreeItem(name: RegExp): Promise<void> {
    const graph = (await page.getByTestId('flame-graph').boundingBox()) ?? {
      x: 0,
      y: 0,
      width: 0,
      height: 0,
    };
    await page.getByRole('treeitem', { name }).first().waitFor({ state: 'attached' });
    // Rows from the top: overview strip, all, service, main.
    for (let y = 30; y < 140; y += 6) {
      await page.mouse.click(graph.x + graph.width * 0.8, graph.y + y);
      if (/main/.test(decodeURIComponent(page.url()))) return;
    }
  }
});

/** A sample at every address of a function, as if all its instructions took the same time. */
async function everyAddressOf(program: string, name: string, timeMs: number): Promise<Block> {
  const symbols = (await run('nm', ['-S', program])).stdout;
  const [, start = '', size = ''] =
    new RegExp(`^([0-9a-f]+) ([0-9a-f]+) [tT] ${name}$`, 'm').exec(symbols) ?? [];
  const notes = (await run('readelf', ['-n', program])).stdout;
  const buildId = /Build ID: ([0-9a-f]+)/.exec(notes)?.[1] ?? '';
  expect([start, buildId]).not.toContain('');
  const builder = new BlockBuilder();
  const mapping = builder.mapping(builder.string(program), builder.string(buildId), 'native');
  const series = builder.series('process_cpu:cpu:nanoseconds:cpu:nanoseconds', 1e7, {
    service_name: 'inlined',
  });
  for (let i = 0; i < Number.parseInt(size, 16); i++) {
    const location = builder.location(mapping, Number.parseInt(start, 16) + i, 0, []);
    builder.add(series, builder.stack(0, location), timeMs, 1e7);
  }
  return builder.build();
}
