import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createExtendedStore, type ExtendedStore } from '../../src/index.ts';
import { makeTemporaryDirectory, removeDirectory } from '../support/temporary.ts';
import { isAlive, outputOf, processesIn } from './run.ts';

let directory: string;
let dbPath: string;
beforeEach(async () => {
  directory = await makeTemporaryDirectory();
  dbPath = join(directory, 'example.db');
});
afterEach(() => removeDirectory(directory));

const allowed = 'pending → approval_required → approved → executing → completed';

/** Runs an example, and looks at what it printed and at what it left in the database. */
async function runExample(
  name: string,
  check: (output: string, store: ExtendedStore) => Promise<void>,
): Promise<void> {
  const output = await outputOf(`examples/${name}.ts`, [dbPath], directory);
  await using store = await createExtendedStore({ type: 'sqlite', dbPath });
  await check(output, store);
  expect(await store.checkConsistency()).toMatchObject({ consistent: true });
  expect(processesIn(output).filter(isAlive)).toEqual([]);
  expect(await store.claimResumable({ limit: 10 })).toEqual([]);
}

test('quick-start.ts: a call waits in the database, is allowed, and the agent goes on', () =>
  runExample('quick-start', async (output, store) => {
    expect(output.split('\n')).toEqual([
      'Model: a script, which needs no key. Set ANTHROPIC_API_KEY or OPENAI_API_KEY for a real one.',
      'The turn ends: awaiting_approval',
      'Waiting: refund {"order":1042,"amount":30}',
      'Answer: Done: 30 paid back for order 1042.',
      `refund: ${allowed}, decided by ana`,
    ]);
    const [agent] = await store.querySessions();
    expect(agent).toMatchObject({ templateId: 'refunds', status: 'idle', messageCount: 4 });
  }));

test('approval-across-processes.ts: each call is decided once, and only the allowed one runs', () =>
  runExample('approval-across-processes', async (output, store) => {
    expect(processesIn(output)).toHaveLength(3);
    expect(output).toContain('awaiting_approval: 2 calls wait');
    expect(output).toContain('ana decides on 30 for order 1042: allow (small)');
    expect(output).toContain(
      'ana decides on 900 for order 1043: deny (more than 100 needs a written request)',
    );
    expect(output.match(/ben comes too late/g)).toHaveLength(2);
    expect(output.match(/the tool pays back/g)).toHaveLength(1);
    expect(output).toContain(
      'completed: 30 paid back for order 1042. This call was denied: more than 100 needs a written request',
    );
    const calls = await store.queryToolCalls({ order: 'asc' });
    expect(calls).toMatchObject([
      { state: 'completed', approval: { decidedBy: 'ana' }, output: '30 paid back for order 1042' },
      { state: 'denied', approval: { decidedBy: 'ana' } },
    ]);
    expect(calls[0]?.auditTrail.map(({ state }) => state).join(' → ')).toBe(allowed);
  }));

test('worker.ts: another worker goes on with the job of one that was killed', () =>
  runExample('worker', async (output, store) => {
    expect(output.match(/is killed in the middle of a call/g)).toHaveLength(1);
    expect(output.match(/done: the invoice of order \d is sent/g)).toHaveLength(3);
    expect(output.match(/: idle, after its worker had died/g)).toHaveLength(1);
    // One call began twice, under the same key.
    const keys = [...output.matchAll(/key (\S+)/g)].map(([, key]) => key);
    expect(keys).toHaveLength(4);
    expect(new Set(keys).size).toBe(3);
    expect(await store.querySessions({ status: 'idle' })).toHaveLength(3);
    const calls = await store.queryToolCalls();
    expect(calls.map(({ state }) => state)).toEqual(['completed', 'completed', 'completed']);
  }));

test('fork-and-compare.ts: two continuations of one conversation', () =>
  runExample('fork-and-compare', async (output, store) => {
    expect(output).toContain('Before the fork: There are 3 trains tomorrow.');
    expect(output).toContain('Book the cheapest train. I booked RE 18.');
    expect(output).toContain('Book the fastest train. I booked EX 7.');
    expect(output).toMatch(/Book the cheapest train\..*"booked":"RE 18","price":19.* 8 .* 2 .* 2 /);
    expect(output).toMatch(/Book the fastest train\..*"booked":"EX 7","price":89.* 8 .* 2 .* 2 /);
    expect(output).toContain('The original still has 4 messages.');
    const [first, ...forks] = await store.querySessions({ order: 'asc' });
    expect(first).toMatchObject({ lineage: [], messageCount: 4 });
    expect(forks).toMatchObject([
      { lineage: [first?.agentId], messageCount: 8 },
      { lineage: [first?.agentId], messageCount: 8 },
    ]);
  }));
