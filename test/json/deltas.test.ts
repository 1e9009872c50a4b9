import { describe, expect, it } from 'vitest';
import { Deltas, MAX_STREAMED } from '../../src/json/deltas.ts';
import { JSONStore } from '../../src/json/store.ts';
import { withClock } from '../../src/model/clock.ts';
import { MovableClock } from '../../src/testing/movable-clock.ts';
import { workspaces } from './helpers.ts';

const workspace = workspaces();

function header(n: number) {
  return { agentId: `agent ${n}`, key: `${n}`, createdAt: 0, format: 2 as const };
}

describe('what is remembered of streamed text', () => {
  it('X3 knows nothing of agents that nobody watches any more', async () => {
    const clock = new MovableClock();
    const deltas = new Deltas(clock);
    for (let n = 0; n < 100; n += 1) {
      await clock.advance(1_000);
      deltas.load(header(n));
    }
    expect(deltas.isWatched('agent 99')).toBe(true);
    expect(deltas.isWatched('agent 50')).toBe(false);
    expect(deltas.size).toBeLessThanOrEqual(31);
  });

  it('X3 is bounded: what was appended to longest ago makes room, and the newest stays whole', () => {
    const deltas = new Deltas(new MovableClock());
    const piece = JSON.stringify({ text: 'x'.repeat(1 << 20) });
    for (let n = 0; n < 100; n += 1) {
      deltas.add(header(n), piece);
      deltas.add(header(0), '1');
    }
    expect(deltas.size).toBeLessThanOrEqual(MAX_STREAMED >> 20);
    expect(deltas.load(header(0))).toHaveLength(101);
    expect(deltas.load(header(99))).toHaveLength(1);
    expect(deltas.load(header(1))).toEqual([]);
  });

  it('X3 ends with its agent', async () => {
    const { root } = await workspace();
    await using store = new JSONStore(root, withClock(new MovableClock()));
    await store.saveInfo('a', {});
    await store.loadDelta('a');
    await store.saveDelta('a', { text: 'x' });
    await store.delete('a');
    await store.saveInfo('a', {});
    expect(await store.isWatched('a')).toBe(false);
    expect(await store.loadDelta('a')).toEqual([]);
  });
});
