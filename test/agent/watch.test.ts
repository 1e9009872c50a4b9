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
    const last = (step: number) => partsOf(seen.findLast((delta) => delta.stepNumber === step));
    expect(last(0).map(({ type }) => type)).toEqual(kinds.slice(0, last(0).length));
    expect(last(0)[0]?.text).toMatch(/^Hm/);
    expect(last(1)).toMatchObject([{ type: 'text', text: expect.stringMatching(/^It is/) }]);
    // A delta is the answer so far, so each begins with the one before.
    const texts = seen.filter((delta) => delta.stepNumber === 1).map((delta) => textOf(delta));
    for (const [i, text] of texts.entries()) expect(text.startsWith(texts[i - 1] ?? '')).toBe(true);
  });

  test('the piece under way is gone when the answer is stored', async ({ store, another, provider }) => {
    const model = await provider([says('One two three.', { chunkSize: 4, hangAfter: 2 }), says('Done.')]);
    const agent = await create(store, model);
    const turn = agent.run('Go.');
    const onlooker = await another();
    let delta: Record<string, unknown> | undefined;
    while (textOf(delta) !== 'One two ') {
      delta = await onlooker.loadDelta('a');
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    expect(delta).toMatchObject({ stepNumber: 0, parts: [{ type: 'text', text: 'One two ' }] });
    await agent.interrupt();
    expect((await turn).status).toBe('interrupted');
    expect(await onlooker.loadDelta('a')).toBeUndefined();
    await agent.run();
    expect(await onlooker.loadDelta('a')).toBeUndefined();
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

function textOf(delta: Record<string, unknown> | undefined): string {
  return partsOf(delta)
    .map(({ text }) => text)
    .join('');
}

function partsOf(delta: Record<string, unknown> | undefined): { type: string; text: string }[] {
  return (delta?.parts ?? []) as { type: string; text: string }[];
}
