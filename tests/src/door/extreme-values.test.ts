/**
 * Every method of every service, with values that nobody means: whatever comes is the sender's fault or is answered, never
 * an internal error, and no answer to a stranger names a path of this machine.
 */
import { toBinary, toJsonString, type DescService } from '@bufbuild/protobuf';
import { IngestService } from '@fleetflame/proto/ingest/v1/ingest';
import { QueryService } from '@fleetflame/proto/query/v1/query';
import { BlockService } from '@fleetflame/proto/store/v1/blocks';
import { JobService } from '@fleetflame/proto/store/v1/jobs';
import { SymbolService } from '@fleetflame/proto/symbols/v1/symbols';
import { SeededRandom } from '@fleetflame/store/testing';
import { scaled, testSeed } from '@fleetflame/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Product } from '../support/product.ts';
import { ExtremeMessages } from './extreme-message.ts';

const SEED = testSeed();
const SERVICES: readonly DescService[] = [
  IngestService,
  QueryService,
  BlockService,
  JobService,
  SymbolService,
];
const METHODS = SERVICES.flatMap((service) =>
  service.methods.map((method) => [`${service.typeName}/${method.name}`, method.input] as const),
);

describe(`extreme values (FLEETFLAME_SEED=${SEED})`, () => {
  let product: Product;
  beforeAll(async () => {
    product = await Product.start({ args: ['--no-agent'] });
  }, 120_000);
  afterAll(async () => {
    await product?.stop();
    await product?.remove();
  });

  it.each(METHODS)(
    '%s says what is wrong, or answers',
    async (name, type) => {
      const extreme = new ExtremeMessages(new SeededRandom(SEED));
      for (let i = 0; i < scaled(40, 4000); i++) {
        const message = extreme.message(type);
        const isJson = i % 2 === 0;
        const response = await fetch(`${product.url}/${name}`, {
          method: 'POST',
          headers: { 'content-type': isJson ? 'application/json' : 'application/proto' },
          body: isJson ? toJsonString(type, message) : toBinary(type, message),
        });
        const text = Buffer.from(await response.arrayBuffer()).toString('latin1');
        const told = `${response.status} ${text.slice(0, 400)} to ${toJsonString(type, message).slice(0, 600)}`;
        expect(response.status === 200 || (response.status >= 400 && response.status < 500), told).toBe(true);
        expect(response.status === 200 ? '' : text, told).not.toContain(product.dataDir);
      }
      expect((await product.get('/healthz')).status).toBe(200);
      expect(product.log).not.toContain('should not happen');
    },
    scaled(120_000, 3_600_000),
  );
});
