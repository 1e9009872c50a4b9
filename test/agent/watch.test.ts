import { expect } from 'vitest';
import type { ExtendedStore, WatchItem } from '../../src/index.ts';
import { asks, create, modelSays, onEachStore, says, tool } from './harness.ts';

/** Follows agent `a` until an event of this type. */
async function followUntil(store: ExtendedStore, last: string, since = 0): Promise<WatchItem[]> {
  const items: WatchItem[] = [];
  for await (const item of store.watch('a', { since })) {
    items.push(item);
    if (item.kind === 'event' && item.event.type === last) break;
  }
  return items;
}

function types(items: WatchItem[]): string[] {
  return items.flatMap((item) => (item.kind === 'event' ? [item.event.type] : []));
}

function deltas(items: WatchItem[]): Record<string, unknown>[] {
  return items.flatMap((item) => (item.kind === 'delta' ? [item.delta] : []));
}

onEachStore(({ test, testSql }) => {
  testSql('another process sees the turn as it happens', async ({ store, another, provider }) => {
    const pieces = [
      { reasoning: 'Hm, hm, hm.', signature: 'SIG==' },
      { text: 'I look at it, slowly.' },
      { call: 'act', id: 'c1', input: { n: 1 } },
    ];
    const slow = { chunkSize: 3, chunkMs: 30 };
    const model = await provider([{ pieces, ...slow }, says('It is done, I think.', slow)]);
    const agent = await create(store, model, { tools: [tool('act')] });
    const onlooker = await another();
    const watching = followUntil(onlooker, 'finish');
    const sent = agent.send('Go.');
    const items = await watching;
    await sent;
    expect(types(items)).toEqual([
      'message',
      'start',
      'message',
      'tool-call',
      'tool-result',
      'message',
      'finish-step',
      'message',
      'finish-step',
      'finish',
    ]);
    const seen = deltas(items);
    expect(seen.map((delta) => delta.stepNumber)).toEqual(
      seen.map((delta) => delta.stepNumber).toSorted((a, b) => Number(a) - Number(b)),
    );
    const kinds = ['reasoning', 'text', 'tool-input'];
    const parts = (step: number) => seen.filter((delta) => delta.stepNumber === step).flatMap(partsOf);
    const began = [...new Set(parts(0).map(({ type }) => type))];
    expect(began).toEqual(kinds.slice(0, began.length));
    expect(parts(0)[0]?.text).toMatch(/^Hm/);
    // A delta is what is new: together they are the beginning of the answer, and each has its place in it.
    const said = parts(1).map(({ text }) => text);
    expect('It is done, I think.'.startsWith(said.join(''))).toBe(true);
    expect(parts(1).map(({ at }) => at)).toEqual(said.map((_, n) => said.slice(0, n).join('').length));
  });

  test('the piece under way is gone when the answer is stored', async ({ store, another, provider }) => {
    const model = await provider([says('One two three.', { chunkSize: 4, hangAfter: 2 }), says('Done.')]);
    const agent = await create(store, model);
    const turn = agent.run('Go.');
    const onlooker = await another();
    let seen: Record<string, unknown>[] = [];
    while (textOf(seen) !== 'One two ') {
      seen = await onlooker.loadDelta('a');
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    expect(seen[0]).toMatchObject({ stepNumber: 0, parts: [{ type: 'text', index: 0, at: 0 }] });
    await agent.interrupt();
    expect((await turn).status).toBe('interrupted');
    expect(await onlooker.loadDelta('a')).toEqual([]);
    await agent.run();
    expect(await onlooker.loadDelta('a')).toEqual([]);
    expect((await onlooker.loadMessages('a')).at(-1)).toEqual(modelSays('Done.'));
  });

  testSql('who comes late goes on from a cursor, without a gap', async ({ store, another, provider }) => {
    const model = await provider([asks(['act', 'c1']), says('Done.')]);
    const agent = await create(store, model, { tools: [tool('act')] });
    await agent.send('Go.');
    const onlooker = await another();
    const whole = await followUntil(onlooker, 'finish');
    const cursors = whole.flatMap((item) => (item.kind === 'event' ? [item.cursor] : []));
    expect(cursors).toEqual(cursors.map((_, i) => i + 1));
    expect(types(await followUntil(onlooker, 'finish', 4))).toEqual(types(whole).slice(4));
  });

  testSql('a decision is seen, whoever makes it with approve()', async ({ store, another, provider }) => {
    const model = await provider([asks(['pay', 'c1'])]);
    const agent = await create(store, model, { tools: [tool('pay', undefined, { needsApproval: true })] });
    const watching = followUntil(await another(), 'tool-approval-response');
    await agent.run('Pay.');
    await agent.deny('c1', { by: 'ana' });
    const last = (await watching).at(-1);
    expect(last).toMatchObject({
      kind: 'event',
      event: { channel: 'control', callSeq: 0, toolCallId: 'c1', toolName: 'pay', approved: false },
    });
  });
});

function textOf(seen: readonly Record<string, unknown>[]): string {
  return seen
    .flatMap(partsOf)
    .map(({ text }) => text)
    .join('');
}

function partsOf(delta: Record<string, unknown>): { type: string; at: number; text: string }[] {
  return delta.parts as { type: string; at: number; text: string }[];
}
