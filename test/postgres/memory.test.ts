import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/model/clock.ts';
import { connectPostgres } from '../../src/postgres/connect.ts';
import type { PostgresDriver } from '../../src/postgres/driver.ts';
import { statement } from '../../src/sql/port/statement.ts';
import { until } from '../../src/testing/timing.ts';
import { postgresDatabase } from '../support/postgres-database.ts';

const database = postgresDatabase('postgres18');
const open: { close(): Promise<void> }[] = [];

afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
});

async function openDriver(): Promise<PostgresDriver> {
  const { url, createSchema, dropSchema } = await database();
  const schema = await createSchema();
  open.push({ close: () => dropSchema(schema) });
  const connection = { connectionString: url, max: 1 };
  const settings = { schema, prepare: 'auto', callTimeoutMs: 10_000, maxQueuedCalls: 10 } as const;
  const target = { connection, clock: systemClock, ...settings };
  const driver = await connectPostgres(target, () => undefined, new AbortController().signal);
  open.push(driver);
  return driver;
}

describe('X3 the driver', () => {
  it('forgets statements that nobody has any more', async () => {
    setFlagsFromString('--expose-gc');
    const collectGarbage = runInNewContext('gc') as () => void;
    const driver = await openDriver();
    const used: WeakRef<object>[] = [];
    const use = async (n: number) => {
      const composed = statement('composed', `SELECT ${n} AS n`);
      used.push(new WeakRef(composed));
      expect(await driver.read(composed, [])).toEqual([{ n }]);
    };
    for (let n = 0; n < 20; n += 1) await use(n);
    const forgotten = () => {
      collectGarbage();
      return used.filter((one) => one.deref() === undefined).length >= 15;
    };
    await until(forgotten, 'they are forgotten');
  });
});
