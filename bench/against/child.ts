// One side of the comparison, in a process of its own: so neither package's code is warmed up by the other's.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Generator } from '../generator.ts';
import { type Counter, difference, FolderCounter, PostgresCounter, SqliteCounter } from './counts.ts';
import type { Errand, Place, Report } from './errand.ts';
import { AGAINST, type AgainstWorkload, type Kit, type Package } from './workloads.ts';

const SEED = 20_251_130;

const place: Place = JSON.parse(process.argv[2] ?? '{}');
const { store, counter, package: loaded } = await open(place);
const turns = new Generator(SEED);
let names = 0;
const kit: Kit = {
  package: loaded,
  store: store as Kit['store'],
  turns,
  size: (full, quick) => (place.quick ? quick : full),
  name: () => `name-${(names++).toString().padStart(8, '0')}`,
};

/** One after the other, in the order in which they are asked for. */
let last: Promise<unknown> = Promise.resolve();
process.on('message', (errand: Errand | 'end') => {
  last = last.then(async () => {
    if (errand === 'end') return end();
    process.send?.(await run(errand));
  });
});
process.send?.({} satisfies Report);

async function open({ entry, backend, folder, url, schema }: Place): Promise<{
  store: Pick<Kit['store'], 'close'>;
  counter: Counter;
  package: Package;
}> {
  const loaded: Package = await import(pathToFileURL(entry).href);
  mkdirSync(folder, { recursive: true });
  if (backend === 'json') {
    return { store: new loaded.JSONStore(folder), counter: new FolderCounter(folder), package: loaded };
  }
  if (backend === 'sqlite') {
    const path = join(folder, 'agents.db');
    const counter = new SqliteCounter(path);
    return { store: await new loaded.SqliteStore(path).open(), counter, package: loaded };
  }
  const counter = await PostgresCounter.on(url, schema);
  const store = await new loaded.PostgresStore(counter.pool, undefined, { schema }).open();
  return { store, counter, package: loaded };
}

async function run({ workload: name, what }: Errand): Promise<Report> {
  try {
    const workload = AGAINST.find((one) => one.name === name);
    if (!workload) throw new Error(`There is no workload "${name}".`);
    switch (what) {
      case 'prepare':
        await workload.prepare?.(kit);
        return {};
      case 'time':
        return { time: await time(workload) };
      case 'count':
        return { counts: await count(workload) };
    }
  } catch (error) {
    return { error: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
}

async function time(workload: AgainstWorkload): Promise<number> {
  const work = await workload.round(kit);
  globalThis.gc?.();
  const begun = performance.now();
  await work();
  return performance.now() - begun;
}

async function count(workload: AgainstWorkload) {
  const work = await workload.round(kit);
  const before = await counter.read();
  await work();
  return difference(before, await counter.read());
}

async function end(): Promise<void> {
  await store.close();
  await counter.close();
  process.disconnect();
}
