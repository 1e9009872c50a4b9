import { statSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { TurnCommit } from '../../src/model/agent.ts';
import { encodeMessages } from '../../src/model/encode-message.ts';
import { findState } from '../../src/sql/agent-state.ts';
import { commonLength } from '../../src/sql/read/messages.ts';
import { SqliteStore } from '../../src/sqlite/store.ts';
import {
  answers,
  asks,
  assistant,
  conversation,
  createAgent,
  progress,
  user,
} from '../../src/testing/samples.ts';
import { recording } from '../sql/recorder.ts';
import { OpenSqliteStore } from '../sql/stores.ts';
import { makeTemporaryDirectory, removeDirectory } from '../support/temporary.ts';
import { framesInLog } from './write-ahead-log.ts';

const LONG = 5_000;
const SHORT = 10;
const TURNS = 40;

let directory: string;
let path: string;
let store: OpenSqliteStore;

beforeEach(async () => {
  directory = await makeTemporaryDirectory();
  path = join(directory, 'agents.db');
  store = new OpenSqliteStore(path, undefined, { durability: 'normal' });
  await createAgent(store, 'long', conversation(LONG));
  for (let n = 0; n < TURNS; n += 1) await createAgent(store, `short-${n}`, conversation(SHORT));
  // The log begins anew, and is far from its next checkpoint.
  const db = new Database(path);
  db.pragma('wal_checkpoint(TRUNCATE)');
  db.close();
});

afterEach(async () => {
  await store.close();
  await removeDirectory(directory);
});

/** Pages written to the log: what a commit costs, whatever the machine does meanwhile. */
async function pagesOf(work: () => Promise<unknown>): Promise<number> {
  const before = framesInLog(path);
  await work();
  return framesInLog(path) - before;
}

function turn(n: number): TurnCommit {
  return {
    messages: [asks(`c${n}`), answers(`c${n}`), assistant('x'.repeat(800))],
    toolCalls: [{ toolCallId: `c${n}`, state: 'completed', output: 'y'.repeat(2_000) }],
    events: Array.from({ length: 10 }, (_, i) => progress('tick', { i })),
    info: { status: 'idle' },
  };
}

describe('what a commit writes', () => {
  it('is a few pages, whatever the length of the conversation', async () => {
    let long = 0;
    let short = 0;
    for (let n = 0; n < TURNS; n += 1) {
      long += await pagesOf(() => store.commit('long', turn(n)));
      short += await pagesOf(() => store.commit(`short-${n}`, turn(n)));
    }
    expect(long / short).toBeLessThanOrEqual(1.15);
    expect(long / TURNS).toBeLessThanOrEqual(32);
  });

  it('is of small pages', async () => {
    for (let n = 0; n < TURNS; n += 1) await store.commit('long', turn(n));
    expect(statSync(`${path}-wal`).size / TURNS).toBeLessThanOrEqual(50_000);
  });

  it('X5 by saveMessages of what is stored is next to nothing', async () => {
    const messages = await store.loadMessages('long');
    expect(await pagesOf(() => store.saveMessages('long', messages))).toBeLessThanOrEqual(8);
  });

  it('X5 by saveMessages is found by reading each stored message once, up to the first that differs', async () => {
    const { driver } = (await store.engine()).context;
    const state = await findState(driver, 'long');
    if (!state) throw new Error('The agent is gone');
    const { context, recorded } = recording(driver);
    const given = encodeMessages(conversation(LONG), 'messages');
    expect(await commonLength(context.driver, state, given, LONG)).toBe(LONG);
    const ranges = recorded.map(({ params: [, , from, to] }) => [from, to]);
    expect(ranges.length).toBeLessThanOrEqual(20);
    expect(ranges.at(0)?.[0]).toBe(0);
    expect(ranges.at(-1)?.[1]).toBe(LONG);
    for (const [i, [from]] of ranges.slice(1).entries()) expect(from).toBe(ranges[i]?.[1]);

    recorded.length = 0;
    const other = encodeMessages([user('another')], 'messages');
    expect(await commonLength(context.driver, state, [...other, ...given.slice(1)], LONG)).toBe(0);
    expect(recorded).toHaveLength(1);
  });

  it('by saveMessages is what is new, and not the whole conversation', async () => {
    const messages = await store.loadMessages('long');
    await store.appendMessages('short-0', [assistant('warm')]);
    let saved = 0;
    let appended = 0;
    for (let n = 0; n < TURNS; n += 1) {
      messages.push(assistant(`new ${n}`));
      saved += await pagesOf(() => store.saveMessages('long', messages));
      appended += await pagesOf(() => store.appendMessages(`short-${n}`, [assistant(`new ${n}`)]));
    }
    expect(saved / appended).toBeLessThanOrEqual(1.2);
  });
});

it('a database with pages of another size is used as it is', async () => {
  const made = join(directory, 'made.db');
  const db = new Database(made);
  db.pragma('page_size = 4096');
  db.pragma('journal_mode = WAL');
  const other = new SqliteStore(made);
  try {
    await createAgent(other, 'a', conversation(10));
    await other.commit('a', turn(0));
    expect(await other.loadMessages('a')).toHaveLength(13);
    expect(db.pragma('page_size', { simple: true })).toBe(4_096);
  } finally {
    db.close();
    await other.close();
  }
});
