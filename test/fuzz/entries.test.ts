import { describe, expect, it } from 'vitest';
import { KodeError } from '../../src/errors.ts';
import type { ExtendedStore, Store } from '../../src/store/store.ts';
import type { TestDatabase } from '../../src/testing/harness.ts';
import { asks, createAgent, everything, progress, user } from '../../src/testing/samples.ts';
import { allBackends } from '../support/backends.ts';
import { FUNCTIONS } from './function-entries.ts';
import { complaintOf } from './outcome.ts';
import { type Anything, type Entry, EXTENDED_ENTRIES, STORE_ENTRIES } from './store-entries.ts';
import { Chance, KINDS, replacedWithin, wrongValue } from './wrong-values.ts';

/**
 * Calls every public entry with wrong values of every kind, at every depth, and accepts results and our own errors
 * alone. One round for each 500 of KODE_PROPERTY_RUNS; KODE_PROPERTY_SEED repeats those of another run.
 */
const ROUNDS = Math.ceil(Number(process.env.KODE_PROPERTY_RUNS ?? 500) / 500);
const SEED = Number(process.env.KODE_PROPERTY_SEED ?? Math.floor(Math.random() * 0x7fff_ffff));
const LIMIT_MS = 60_000 + ROUNDS * 60_000;
/** Of the kinds of values, for each argument and round: all of them for functions, which cost nothing. */
const KINDS_PER_ARGUMENT = 12;

describe('A3 every public entry, given anything', () => {
  console.log(`${ROUNDS} rounds of wrong values: KODE_PROPERTY_SEED=${SEED}`);

  for (const backend of allBackends()) {
    it(
      `${backend.name}: gives a result or an error of ours, and loses nothing`,
      async () => {
        const database = await backend.create();
        try {
          // A server takes a hundred times as long for each call.
          const kinds = backend.name.startsWith('postgres') ? KINDS_PER_ARGUMENT / 3 : KINDS_PER_ARGUMENT;
          await fuzzStore(database, backend.capabilities.extended, kinds);
        } finally {
          await database.destroy();
        }
      },
      LIMIT_MS,
    );
  }

  it(
    'functions and classes: give a result or an error of ours',
    async () => {
      const chance = new Chance(SEED);
      const complaints: string[] = [];
      for (const { name, args, call } of FUNCTIONS) {
        for (const given of wrongArguments(
          args,
          chance,
          isQuick(name) ? KINDS.length : KINDS_PER_ARGUMENT / 2,
        )) {
          const complaint = await complaintOf(() => call(undefined, given.args));
          if (complaint) complaints.push(`${name}(${given.what}) ${complaint}`);
        }
      }
      expect(complaints).toEqual([]);
    },
    LIMIT_MS,
  );
});

/** Agents need a store for each call. */
function isQuick(name: string): boolean {
  return !/^(agent|Agent)\./.test(name);
}

async function fuzzStore(database: TestDatabase, extended: boolean, kinds: number): Promise<void> {
  const chance = new Chance(SEED);
  let store = await database.open();
  await fill(store, 'a');
  await fill(store, 'kept');
  const kept = await everythingOf(store, 'kept');
  const entries: Entry<Anything>[] = [...STORE_ENTRIES, ...(extended ? EXTENDED_ENTRIES : [])];
  const complaints: string[] = [];
  for (const { name, args, call } of entries) {
    for (const given of wrongArguments(args, chance, kinds)) {
      const version = (await store.loadInfo('a'))?.version;
      let refused = false;
      const complaint = await complaintOf(async () => {
        try {
          return await call(store, given.args);
        } catch (error) {
          refused = error instanceof KodeError;
          throw error;
        }
      });
      if (complaint) complaints.push(`${name}(${given.what}) ${complaint}`);
      const after = (await store.loadInfo('a'))?.version;
      if (refused && version !== after)
        complaints.push(`${name}(${given.what}) was refused and changed the agent`);
    }
  }
  expect(complaints).toEqual([]);
  expect(await everythingOf(store, 'kept')).toBe(kept);
  if (extended) expect((await (store as ExtendedStore).checkConsistency()).issues).toEqual([]);
  const texts = await Promise.all((await store.list()).map((id) => everythingOf(store, id)));
  await store.close();
  store = await database.open();
  expect(await Promise.all((await store.list()).map((id) => everythingOf(store, id)))).toEqual(texts);
  await store.close();
}

async function fill(store: Store, agentId: string): Promise<void> {
  await createAgent(store, agentId, [user('go'), asks('x')], { metadata: { kept: true } });
  await store.saveToolCallRecords(agentId, [{ toolCallId: 'x', state: 'approval_required' }]);
  await store.saveSnapshot(agentId, { id: 's' });
  await store.saveTodos(agentId, { todos: ['one'] });
  await store.appendEvent(agentId, progress('x'));
  await store.saveDocument(agentId, { kind: 'compression', name: 'n', content: 'kept' });
}

async function everythingOf(store: Store, agentId: string): Promise<string> {
  const seenAs: Store = new Proxy(store, {
    get: (target, key) => {
      const value: unknown = Reflect.get(target, key);
      if (typeof value !== 'function') return value;
      return (first: unknown, ...rest: unknown[]) =>
        value.call(target, first === 'a' ? agentId : first, ...rest);
    },
  });
  const parts = JSON.parse(await everything(seenAs)) as unknown[];
  // Which agents there are is another matter, and streamed text ends with its process on JSON files.
  return JSON.stringify(parts.slice(1, -1));
}

interface Given {
  args: unknown[];
  /** For the message of a failure. */
  what: string;
}

/** Each argument, and something within it, replaced by values of so many kinds; too few arguments, and too many. */
function* wrongArguments(args: () => unknown[], chance: Chance, kinds: number): Generator<Given> {
  const count = args().length;
  yield { args: [], what: '' };
  yield { args: [...args(), { more: 1 }, 'more'], what: '…, more' };
  for (let round = 0; round < ROUNDS; round += 1) {
    for (let place = 0; place < count; place += 1) {
      const first = chance.below(KINDS.length);
      for (let n = 0; n < kinds; n += 1) {
        const kind = KINDS[(first + n) % KINDS.length] ?? '';
        const whole = args();
        whole[place] = wrongValue(kind);
        yield { args: whole, what: `argument ${place}: ${kind}` };
        const within = args();
        const { path, value } = replacedWithin(within[place], chance, () => wrongValue(kind));
        within[place] = value;
        yield { args: within, what: `argument ${place}${path}: ${kind}` };
      }
    }
  }
}
