import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SqliteStore } from '../../src/sqlite/store.ts';
import { collect } from '../../src/testing/samples.ts';
import { startChild } from '../support/child.ts';
import { makeTemporaryDirectory, removeDirectory } from '../support/temporary.ts';

let directory: string;

beforeEach(async () => {
  directory = await makeTemporaryDirectory();
});

afterEach(() => removeDirectory(directory));

const writer = new URL('./writer.child.ts', import.meta.url);
const AGENTS = ['a', 'b', 'c', 'd', 'e', 'f'];

/** Kills a writer after so many acknowledged steps; returns how many each agent had acknowledged. */
async function crashAfter(path: string, acknowledgements: number): Promise<Map<string, number>> {
  const child = startChild(writer, { args: [path, '1000000', ...AGENTS] });
  expect(await child.line()).toBe('open');
  const acknowledged = new Map<string, number>();
  for (let n = 0; n < acknowledgements; n += 1) {
    const [agentId = '', step = ''] = ((await child.line()) ?? '').split(' ');
    acknowledged.set(agentId, Number(step) + 1);
  }
  await child.kill();
  // What it had printed before it died.
  for (let line = await child.line(); line !== undefined; line = await child.line()) {
    const [agentId = '', step = ''] = line.split(' ');
    if (step !== '') acknowledged.set(agentId, Number(step) + 1);
  }
  return acknowledged;
}

describe('a writer that is killed', () => {
  it('leaves whole commits only, and all that it had acknowledged', { timeout: 60_000 }, async () => {
    const path = join(directory, 'agents.db');
    const total = new Map<string, number>();
    for (const acknowledgements of [25, 150, 60]) {
      const acknowledged = await crashAfter(path, acknowledgements);
      const store = new SqliteStore(path);
      expect((await store.checkConsistency()).issues).toEqual([]);
      for (const id of AGENTS) {
        const before = total.get(id) ?? 0;
        const { info, messages, toolCalls } = await store.loadAgent(id);
        const steps = messages.length / 2;
        expect(steps - before).toBeGreaterThanOrEqual(acknowledged.get(id) ?? 0);
        expect(Number.isInteger(steps)).toBe(true);
        expect(toolCalls).toHaveLength(steps);
        expect(toolCalls.every(({ state }) => state === 'completed')).toBe(true);
        const events = await collect(store.readEvents(id));
        expect(events.map(({ cursor }) => cursor)).toEqual(Array.from({ length: steps }, (_, n) => n + 1));
        expect(info.version).toBe(1 + steps);
        const { tokensByModel } = await store.aggregateStats(id);
        expect(Object.keys(tokensByModel ?? {})).toEqual(steps > 0 ? ['m'] : []);
        total.set(id, steps);
      }
      await store.close();
    }
  });
});
