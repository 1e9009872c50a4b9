import { expect } from 'vitest';
import type { Message } from '../../src/model/message.ts';
import type { Store } from '../../src/store/store.ts';
import {
  asks,
  create,
  modelAsks,
  onEachStore,
  results,
  resume,
  says,
  states,
  tool,
  userSays,
} from './harness.ts';

const OUTPUT = 'what a tool gave '.repeat(20);

/** Steps with a call each. */
function archiveOf(calls: number): Message[] {
  return Array.from({ length: calls }, (_, n) => [
    modelAsks(['look', `call ${n}`, { n: String(n).padStart(4, '0') }]),
    results([`call ${n}`, OUTPUT]),
  ]).flat();
}

/** An agent whose calls have all ended, and of which everything but the last two messages was compacted away. */
async function fill(store: Store, calls: number): Promise<void> {
  const archived = archiveOf(calls);
  await store.commit('a', {
    info: { templateId: 'clerk' },
    messages: [
      ...archived,
      userSays('And?'),
      { role: 'assistant', content: [{ type: 'text', text: 'So.' }] },
    ],
    toolCalls: Array.from({ length: calls }, (_, n) => ({
      toolCallId: `call ${n}`,
      state: 'completed' as const,
      output: OUTPUT,
    })),
    compaction: { seq: archived.length, messages: [userSays('They looked.')] },
    expectedVersion: 0,
  });
}

/** The store, and how many characters it has handed out. */
function measured<S extends Store>(store: S): { store: S; read: () => number } {
  let characters = 0;
  const counting = new Proxy(store, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name);
      if (typeof member !== 'function') return member;
      return (...args: unknown[]) => {
        const result: unknown = member.apply(target, args);
        if (result instanceof Promise && /^(load|query)/.test(String(name))) {
          return result.then((value: unknown) => {
            characters += JSON.stringify(value ?? null).length;
            return value;
          });
        }
        return result;
      };
    },
  });
  return { store: counting, read: () => characters };
}

onEachStore(({ test }) => {
  test('M5 a resume and a turn read what the model will see, however much is stored', async ({
    store,
    reopen,
    provider,
  }) => {
    const template = {
      tools: [tool('look', () => 'seen', { needsApproval: true })],
    };
    const readOf = async (calls: number, counted: Store) => {
      const model = await provider([asks(['look', 'new']), says('Seen.'), says('Fine.')]);
      const { store: watched, read } = measured(counted);
      const agent = await resume(watched, model, template);
      const resumed = read();
      expect(await agent.run('Look again.')).toMatchObject({ status: 'awaiting_approval' });
      expect(await agent.pendingApprovals()).toMatchObject([{ toolCallId: 'new', callSeq: calls }]);
      await counted.decideApproval('a', 'new', { decision: 'allow' });
      expect(await agent.run()).toMatchObject({ status: 'completed', text: 'Seen.' });
      expect(await agent.send('Thanks.')).toBe('Fine.');
      expect((await states(counted)).at(-1)).toEqual(['new', 'completed']);
      await agent.close();
      return [resumed, read()];
    };
    await fill(store, 10);
    const [resumedOfFew = 0, readOfFew = 0] = await readOf(10, await reopen());
    await (await reopen()).delete('a');
    const again = await reopen();
    await fill(again, 1_000);
    const [resumed = 0, read = 0] = await readOf(1_000, await reopen());
    expect(resumedOfFew).toBeGreaterThan(300);
    // The numbers have more digits.
    expect(resumed - resumedOfFew).toBeLessThan(20);
    expect(read - readOfFew).toBeLessThan(60);
  });

  test('M5 an input of before the compaction is answered again from the archive', async ({
    store,
    reopen,
    provider,
  }) => {
    const model = await provider([says('Seven.'), says('They counted.'), says('Eight.'), says('?')]);
    const agent = await create(store, model);
    expect(await agent.send('Count.', { operationId: 'old' })).toBe('Seven.');
    expect(await agent.compact()).toMatchObject({ seq: 2 });
    expect(await agent.send('Go on.', { operationId: 'new' })).toBe('Eight.');
    expect(await agent.send('Count.', { operationId: 'old' })).toBe('Seven.');
    expect(await agent.send('Go on.', { operationId: 'new' })).toBe('Eight.');
    const again = await resume(await reopen(), model);
    expect(await again.send('Go on.', { operationId: 'new' })).toBe('Eight.');
    expect(await again.send('Count.', { operationId: 'old' })).toBe('Seven.');
    expect(model.requests).toHaveLength(3);
  });
});
