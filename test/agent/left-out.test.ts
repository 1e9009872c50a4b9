import { describe, expect } from 'vitest';
import type { ContentBlock, Message, NewEvent } from '../../src/index.ts';
import type { Store } from '../../src/store/store.ts';
import { modelAsks, modelSays, onEachStore, recording, resume, says, test, userSays } from './harness.ts';
import { KINDS } from './provider/collect.ts';

/** A conversation as an import or another version may have left it. */
async function imported(store: Store, ...messages: Message[]): Promise<void> {
  await store.commit('a', { info: { templateId: 'clerk' }, messages, expectedVersion: 0 });
}

async function leftOutOf(store: Store): Promise<NewEvent[]> {
  const events: NewEvent[] = [];
  for await (const { event } of store.readEvents('a', { channel: 'monitor' })) events.push(event);
  return events.filter(({ type }) => type === 'left-out');
}

const text = (value: string): ContentBlock => ({ type: 'text', text: value });
const leftOut = (messageSeq: number, block: number, blockType: string, reason: string) => ({
  ...{ channel: 'monitor', type: 'left-out', messageSeq, block, blockType, reason },
});

describe('M3 outputs that the SDK does not know', () => {
  const outputs: [string, unknown][] = [
    ['of a kind of nobody', { type: 'output', value: { type: 'hologram', data: 'x' } }],
    ['that are a text of no text', { type: 'output', value: { type: 'text', value: 5 } }],
    ['of items that are none', { type: 'output', value: { type: 'content', value: 5 } }],
    ['of an item that is null', { type: 'output', value: { type: 'content', value: [null] } }],
    ['that are denied for a number', { type: 'execution-denied', reason: 5 }],
    ['of items that are damaged', { type: 'content', value: [{ type: 'text', text: { a: 1 } }] }],
    ['with options that are none', { type: 'text', value: 'x', providerOptions: 5 }],
    [
      'of several items, one of them damaged',
      {
        type: 'content',
        value: [
          { type: 'text', text: 'A plot.' },
          { type: 'custom', providerOptions: 'x' },
        ],
      },
    ],
  ];
  test('cost themselves and not the conversation', async ({ store, provider }) => {
    await imported(
      store,
      userSays('Go.'),
      modelAsks(...outputs.map((_, n): [string, string] => ['act', `c${n}`])),
      {
        role: 'user',
        content: outputs.map(([, content], n) => ({ type: 'tool_result', tool_use_id: `c${n}`, content })),
      },
      modelSays('Done.'),
    );
    for (const kind of KINDS) {
      const model = await provider([says('Fine.')], kind);
      const agent = await resume(store, model);
      expect(await agent.send('And?')).toBe('Fine.');
      await agent.close();
      const body = model.requests[0]?.body ?? '';
      expect(body).toContain('A plot.');
      expect(body.split("of a kind that can't be shown")).toHaveLength(outputs.length);
    }
  });
});

onEachStore(({ test: onStore }) => {
  onStore('M3 what a prompt leaves out is told of once, with the answer', async ({ store, provider }) => {
    await imported(
      store,
      { role: 'user', content: [text('Hi'), text(' '), { type: 'hologram', data: 'x' }] },
      { role: 'assistant', content: [text('Hello.'), text('\n')] },
      { role: 'user', content: [{ type: 'tool_result', tool_use_id: 'nobody', content: 'x' }, text('Yes?')] },
      modelSays('No.'),
    );
    const model = await provider([says('One.'), says('Two.'), says('Three.')]);
    const watched = recording(store);
    const agent = await resume(watched.store, model);
    await agent.send('First.');
    const before = [
      leftOut(0, 1, 'text', 'blank'),
      leftOut(0, 2, 'hologram', 'unknown'),
      leftOut(1, 1, 'text', 'blank'),
      leftOut(2, 0, 'tool_result', 'without a call'),
    ];
    expect(await leftOutOf(store)).toEqual(before);
    // The input, and the answer with all of it.
    expect(watched.commits).toHaveLength(2);
    await agent.send([text('Second.'), text(' ')]);
    await agent.send('Third.');
    expect(await leftOutOf(store)).toEqual([...before, leftOut(6, 1, 'text', 'blank')]);
    await agent.close();
  });
});

test('M3 of many blocks that are left out, each answer tells of a hundred', async ({ store, provider }) => {
  const blanks = Array.from({ length: 150 }, () => text(' '));
  await imported(store, { role: 'user', content: [text('Hi'), ...blanks] }, modelSays('Hello.'));
  const agent = await resume(store, await provider([says('One.'), says('Two.'), says('Three.')]));
  for (const told of [100, 150, 150]) {
    await agent.send('Go on.');
    expect(await leftOutOf(store)).toHaveLength(told);
  }
});

test('M3 what a summary has is told of, too, and places stay what they are', async ({ store, provider }) => {
  await imported(store, userSays('Hi'), modelSays('Hello.'), {
    role: 'user',
    content: [text('Next'), text(' ')],
  });
  await store.commit('a', {
    compaction: { seq: 2, messages: [{ role: 'user', content: [text('So far.'), text('')] }] },
  });
  const agent = await resume(store, await provider([says('One.'), says('Two.')]));
  await agent.run();
  await agent.send('More.');
  const { messageSeq: _none, ...ofSummary } = leftOut(0, 1, 'text', 'blank');
  expect(await leftOutOf(store)).toEqual([ofSummary, leftOut(2, 1, 'text', 'blank')]);
});
