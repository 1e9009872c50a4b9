import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { statement } from '../../src/sql/port/statement.ts';
import { metadataRows } from '../../src/sql/query/metadata-index.ts';
import { Params } from '../../src/sql/query/params.ts';
import { selectMatchingAgents } from '../../src/sql/query/session-search.ts';
import { validateStatsFilter } from '../../src/store/validate-filter.ts';
import { createAgent } from '../../src/testing/samples.ts';
import { OpenSqliteStore } from '../sql/stores.ts';
import { makeTemporaryDirectory, removeDirectory } from '../support/temporary.ts';

let directory: string;
let path: string;
let store: OpenSqliteStore;
let db: Database.Database;

beforeEach(async () => {
  directory = await makeTemporaryDirectory();
  path = join(directory, 'agents.db');
  store = new OpenSqliteStore(path);
  await store.open();
  db = new Database(path);
});

afterEach(async () => {
  db.close();
  await store.close();
  await removeDirectory(directory);
});

interface Row {
  path: string;
  value: string;
  agent: number;
}

/** Rows of the index, and those that the stored metadata asks for. */
function index(): { stored: string[]; wanted: string[] } {
  const name = ({ agent, path, value }: Row) => `${agent} ${path} ${value}`;
  const agents = db.prepare('SELECT agent, metadata FROM kode_data_agents').all() as {
    agent: number;
    metadata: string;
  }[];
  const wanted = agents.flatMap(({ agent, metadata }) =>
    metadataRows(JSON.parse(metadata)).map((row) => name({ ...row, agent })),
  );
  const stored = db.prepare('SELECT path, value, agent FROM kode_data_metadata').all() as Row[];
  return { stored: stored.map(name).sort(), wanted: wanted.sort() };
}

it('is indexed as it is, whatever changes it', async () => {
  const metadata = { a: 1, b: { c: 'x', d: null }, long: 'x'.repeat(2_000), '\u0000': true };
  await createAgent(store, 'a', [], { metadata });
  expect(index().stored).toHaveLength(4);
  const [first] = await store.batchFork('a', 5);
  expect(index()).toEqual({ stored: index().wanted, wanted: index().stored });
  expect(index().stored).toHaveLength(24);
  await store.saveInfo('a', { metadata: { a: 2, b: { c: 'x', e: 1 } } });
  await store.saveInfo('a', { templateId: 't' });
  expect(index().stored).toEqual(index().wanted);
  await store.saveInfo(first ?? '', { metadata: {} });
  expect(index().stored).toEqual(index().wanted);
  await store.fork('a');
  expect(index().stored).toEqual(index().wanted);
  for (const id of await store.list()) await store.delete(id);
  expect(index()).toEqual({ stored: [], wanted: [] });
});

it('writes only the rows that change', async () => {
  const many = Object.fromEntries(Array.from({ length: 100 }, (_, n) => [`key ${n}`, n]));
  await createAgent(store, 'a', [], { metadata: many });
  db.exec(`CREATE TABLE seen (path TEXT);
    CREATE TRIGGER seen_insert AFTER INSERT ON kode_data_metadata BEGIN INSERT INTO seen VALUES (new.path); END;
    CREATE TRIGGER seen_delete AFTER DELETE ON kode_data_metadata BEGIN INSERT INTO seen VALUES (old.path); END`);
  await store.saveInfo('a', { metadata: { ...many, 'key 7': 'new', more: 1 } });
  const seen = db.prepare('SELECT path FROM seen ORDER BY path').all() as { path: string }[];
  expect(seen.map((row) => row.path)).toEqual(['key 7', 'key 7', 'more']);
});

it('that was damaged is replaced and deleted without a trace', async () => {
  await createAgent(store, 'a', [], { metadata: { a: 1 } });
  await createAgent(store, 'b', [], { metadata: { a: 1 } });
  await createAgent(store, 'c', [], { metadata: { a: 1 } });
  db.exec(`UPDATE kode_data_agents SET metadata = '{broken' WHERE agent_id IN ('a', 'b')`);
  await store.saveInfo('a', { metadata: { b: 2 } });
  await store.delete('b');
  expect(index().stored).toEqual(index().wanted);
  expect(await store.querySessions({ metadata: { a: 1 } })).toHaveLength(1);
});

it('of nobody is found by the check', async () => {
  const rows = Array.from({ length: 1_500 }, (_, n) => [`k${n}`, n] as const);
  await createAgent(store, 'a', [], { metadata: Object.fromEntries(rows) });
  expect((await store.checkConsistency()).issues).toEqual([]);
  db.exec(`INSERT INTO kode_data_metadata (path, value, agent, tree) VALUES ('zz', '1', 999, 999)`);
  expect((await store.checkConsistency()).issues.map(({ rule }) => rule)).toEqual(['orphan-rows']);
});

// As joins, of which SQLite looks for the best order, a hundred conditions would be planned for a minute.
it('X2 is looked up path by path, however many a filter has', async () => {
  const paths = 12;
  const metadata = Object.fromEntries(Array.from({ length: paths }, (_, n) => [`key${n}`, n]));
  const { driver } = (await store.engine()).context;
  const params = new Params();
  const select = selectMatchingAgents(driver.dialect, validateStatsFilter({ metadata }), params);
  const explain = params.query('explain', select);
  const plan = await driver.read(
    statement('explain', `EXPLAIN QUERY PLAN ${explain.statement.text}`),
    explain.params,
  );
  const details = plan.map(({ detail }) => String(detail));
  // By the first path agents are found; each of them is tested for the others.
  expect(details[0]).toMatch(/^SEARCH x USING .*\(path=\? AND value=\?\)$/);
  const tests = details.filter((detail) => /^CORRELATED SCALAR SUBQUERY/.test(detail));
  expect(tests, details.join('\n')).toHaveLength(paths - 1);
});
