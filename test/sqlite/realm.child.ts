import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import vm from 'node:vm';
import Database from 'better-sqlite3';
import { KodeError } from '../../src/errors.ts';
import { SqliteStore } from '../../src/sqlite/store.ts';

interface Addon {
  setErrorConstructor(ofErrors: unknown): void;
}

// As under Jest, where the first test file's copy of the driver gives the class to the errors of all others.
const manifest = createRequire(import.meta.url).resolve('better-sqlite3/package.json');
const bindings = createRequire(manifest)('bindings') as (options: object) => Addon;
const addon = bindings({ bindings: 'better_sqlite3.node', module_root: dirname(manifest) });
const OfAnotherRealm: unknown = vm.runInNewContext(
  '(class SqliteError extends Error { constructor(message, code) { super(message); this.code = code; } })',
);
new Database(':memory:').close();
addon.setErrorConstructor(OfAnotherRealm);

const directory = process.argv[2] ?? '';
const path = join(directory, 'a.db');

async function tell(what: string, work: () => Promise<unknown>): Promise<void> {
  const told = await work().then(
    () => 'nothing',
    (error: unknown) => {
      if (!(error instanceof KodeError)) return `raw: ${String(error)}`;
      const foreign = error.cause !== undefined && !(error.cause instanceof Error);
      return foreign ? `${error.name}, caused in another realm` : error.name;
    },
  );
  console.log(`${what}: ${told}`);
}

const store = new SqliteStore(path, undefined, { busyTimeoutMs: 50 });
const other = new SqliteStore(path);
await store.saveInfo('a', { templateId: 't' });
await tell('created twice', () => other.commit('a', { info: { templateId: 't' }, expectedVersion: 0 }));

const lock = new Database(path);
lock.exec('BEGIN IMMEDIATE');
await tell('locked', () => store.saveInfo('a', { userId: 'u' }));
setTimeout(() => lock.exec('COMMIT'), 100);
await tell('waited for', () => other.saveInfo('a', { userId: 'u' }));
lock.close();

const full = new Database(path);
full.exec("CREATE TRIGGER no BEFORE INSERT ON kode_data_messages BEGIN SELECT RAISE(ABORT, 'no'); END");
full.close();
await tell('refused', () =>
  store.appendMessages('a', [{ role: 'user', content: [{ type: 'text', text: 'x' }] }]),
);
await tell('no database', () => new SqliteStore(process.argv[1] ?? '').list());
await store.close();
await other.close();
