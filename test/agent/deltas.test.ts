import { expect } from 'vitest';
import { followAgent } from '../../src/agent/follow.ts';
import type { Store } from '../../src/store/store.ts';
import { collect, create, onEachStore, says } from './harness.ts';
import type { StreamedAnswer } from './provider/provider.ts';

const STORY = 'Once upon a time there was an agent that wrote down every word. '.repeat(100);
/** In some 120 pieces over more than a second. */
const slowly: StreamedAnswer = says(STORY, { chunkSize: 53, chunkMs: 10 });
/** What a piece has around its text. */
const ENVELOPE = 250;

/** The store, and the pieces that were saved to it. */
function counting<S extends Store>(store: S): { store: S; saved: string[] } {
  const saved: string[] = [];
  const counted = new Proxy(store, {
    get(target, name: keyof Store) {
      const member: unknown = target[name];
      if (typeof member !== 'function') return member;
      if (name !== 'saveDelta') return member.bind(target);
      return (...args: Parameters<Store['saveDelta']>) => {
        saved.push(JSON.stringify(args[1]));
        return target.saveDelta(...args);
      };
    },
  });
  return { store: counted, saved };
}

onEachStore(({ test, testSql }) => {
  test('M4 nothing of an answer is written while nobody watches', async ({ store, provider }) => {
    const { store: counted, saved } = counting(store);
    const agent = await create(counted, await provider([slowly]));
    expect(await agent.send('Tell.')).toBe(STORY);
    expect(saved).toEqual([]);
    expect(await store.loadDelta('a')).toEqual([]);
  });

  testSql('M4 who watches costs what is new: an answer is written once', async (world) => {
    const { store: counted, saved } = counting(world.store);
    const agent = await create(counted, await world.provider([slowly]));
    const following = collect(followAgent(await world.another(), 'a', { since: 0 }));
    await agent.send('Tell.');
    const { parts } = await following;
    expect(parts.map((part) => (part.type === 'text-delta' ? part.text : '')).join('')).toBe(STORY);
    expect(saved.length).toBeGreaterThan(2);
    const bytes = saved.reduce((sum, piece) => sum + piece.length, 0);
    expect(bytes).toBeLessThan(STORY.length + saved.length * ENVELOPE);
  });

  testSql('M4 who comes late is shown the whole once, then what follows', async (world) => {
    const { store: counted, saved } = counting(world.store);
    const agent = await create(counted, await world.provider([slowly]));
    const other = await world.another();
    const followers: ReturnType<typeof collect>[] = [];
    const seen: string[] = [];
    const turn = collect(agent.stream('Tell.'), (part) => {
      if (part.type !== 'text-delta') return;
      seen.push(part.text);
      // In the middle, and after more than half.
      if (seen.length === 30 || seen.length === 80) followers.push(collect(followAgent(other, 'a')));
    });
    await turn;
    for (const { parts } of await Promise.all(followers)) {
      const texts = parts.flatMap((part) => (part.type === 'text-delta' ? [part.text] : []));
      expect(texts.join('')).toBe(STORY);
      expect(parts.filter(({ type }) => type === 'text-start')).toHaveLength(1);
    }
    const bytes = saved.reduce((sum, piece) => sum + piece.length, 0);
    expect(bytes).toBeLessThan(STORY.length + saved.length * ENVELOPE);
  });
});
