import { describe, expect, it, vi } from 'vitest';
import type { FollowOptions } from '../../src/agent/agent-options.ts';
import { followAgent } from '../../src/agent/follow.ts';
import type { AgentStreamPart } from '../../src/agent/stream-part.ts';
import type { AnswerDelta } from '../../src/agent/turn-reader.ts';
import { AgentNotFoundError, ValidationError } from '../../src/errors.ts';
import { JSONStore } from '../../src/json/store.ts';
import type { NewEvent } from '../../src/model/agent.ts';
import type { ExtendedStore } from '../../src/store/store.ts';
import { makeTemporaryDirectory, removeDirectory } from '../support/temporary.ts';
import {
  asks,
  collect,
  create,
  failureOf,
  latch,
  onEachStore,
  resume,
  says,
  test,
  textBlock,
  tool,
} from './harness.ts';
import { KINDS } from './provider/collect.ts';
import type { StreamedAnswer } from './provider/provider.ts';

/** Slow enough for several deltas. */
const SLOWLY = { chunkMs: 40 };
const STORY = 'One two three four five six seven eight nine ten.';

const steps: StreamedAnswer[] = [
  {
    ...SLOWLY,
    pieces: [
      { reasoning: 'Both of them, I think.' },
      { text: 'I look at two things. ' },
      { call: 'look', id: 'c1', input: { n: 1 } },
      { call: 'fail', id: 'c2', input: { n: 2 } },
      { call: 'look', id: 'c3', input: { n: { deep: [3] } } },
    ],
  },
  { ...SLOWLY, pieces: [{ call: 'look', id: 'c4', input: { n: null } }] },
  says(STORY, SLOWLY),
];
const tools = [
  tool('look'),
  tool('fail', () => {
    throw new Error('No such thing.');
  }),
];

function follow(store: ExtendedStore, options?: FollowOptions) {
  return collect(followAgent(store, 'a', options));
}

/** What a turn told: pieces put together, and things that are stored in the order in which they were. */
function told(parts: readonly AgentStreamPart[]): unknown[] {
  const list: unknown[] = [];
  const stored = parts.filter((part) => part.cursor !== undefined);
  const cursors = stored.map((part) => part.cursor ?? 0);
  expect(cursors).toEqual([...new Set(cursors)]);
  for (const part of parts) {
    const last = list.at(-1);
    if (part.type === 'text-delta' || part.type === 'reasoning-delta') {
      if (Array.isArray(last) && last[0] === part.type) last[1] += part.text;
      else list.push([part.type, part.text]);
    } else if (part.type === 'start-step') list.push([part.type, part.stepNumber]);
    else if (!/^(text|reasoning|tool-input)-/.test(part.type)) list.push(part);
  }
  // Calls that end at the same time are told in the one order or the other.
  const results = (entry: unknown) => /^tool-(result|error)$/.test((entry as AgentStreamPart).type ?? '');
  const inOrder = list
    .filter(results)
    .sort((a, b) => Number((a as AgentStreamPart).cursor) - Number((b as AgentStreamPart).cursor));
  return list.map((entry) => (results(entry) ? inOrder.shift() : entry));
}

function textIn(parts: readonly AgentStreamPart[]): string {
  return parts.map((part) => (part.type === 'text-delta' ? part.text : '')).join('');
}

function texts(parts: readonly AgentStreamPart[]): string[] {
  return types(parts).filter((type) => type.startsWith('text-'));
}

function types(parts: readonly AgentStreamPart[]): string[] {
  return parts.map(({ type }) => type);
}

describe.each(KINDS)('%s', (kind) => {
  test('a follower is told what the stream tells, piece by piece', async ({ store, provider }) => {
    const agent = await create(store, await provider(steps, kind), { tools });
    const following = follow(store, { since: 0 });
    const live = await collect(agent.stream('Look.'));
    const { parts } = await following;
    expect(told(parts)).toEqual(told(live.parts));
    expect(textIn(parts)).toBe(textIn(live.parts));
    expect(parts.filter(({ type }) => type === 'text-delta').length).toBeGreaterThan(2);
    for (const name of ['text', 'reasoning', 'tool-input']) {
      const starts = types(parts).filter((type) => type === `${name}-start`).length;
      expect(types(parts).filter((type) => type === `${name}-end`)).toHaveLength(starts);
    }
  });

  test('what is stored tells the same as what was seen', async ({ store, provider }) => {
    const agent = await create(store, await provider(steps, kind), { tools });
    const live = await collect(agent.stream('Look.'));
    expect(told((await follow(store, { since: 0 })).parts)).toEqual(told(live.parts));
  });
});

onEachStore(({ test, testSql }) => {
  testSql('who follows looks back no further than the turn under way', async ({ store, provider }) => {
    const agent = await create(store, await provider(() => says('Fine.')));
    for (let n = 0; n < 20; n += 1) await agent.send('Go on.');
    let read = 0;
    const counting = new Proxy(store, {
      get(target, name: keyof ExtendedStore) {
        const member: unknown = target[name];
        if (typeof member !== 'function') return member;
        if (name !== 'readEvents') return member.bind(target);
        return async function* (...args: Parameters<ExtendedStore['readEvents']>) {
          for await (const event of target.readEvents(...args)) {
            read += 1;
            yield event;
          }
        };
      },
    });
    const following = follow(counting);
    await expect.poll(() => read).toBeGreaterThan(0);
    const live = await collect(agent.stream('Once more.'));
    expect(told((await following).parts)).toEqual(told(live.parts));
    // That the last turn had ended, and perhaps this turn's events again when its answer was overheard.
    expect(read).toBeLessThan(20);
  });

  test('what is written tells which answer and step it belongs to', async ({ store, provider }) => {
    const model = await provider([...steps.slice(1), says(STORY, { chunkSize: 4, hangAfter: 3 })]);
    const agent = await create(store, model, { tools });
    const live = await collect(agent.stream('Look.'));
    const events: NewEvent[] = [];
    for await (const { event } of store.readEvents('a')) events.push(event);
    const answers = events.filter(({ type, role }) => type === 'message' && role === 'assistant');
    expect(answers).toMatchObject([
      { messageSeq: 1, stepNumber: 0 },
      { messageSeq: 3, stepNumber: 1 },
    ]);
    const { cursor: _place, ...finish } = live.parts.at(-1) ?? {};
    expect(events.at(-1)).toMatchObject(finish);

    const hanging = collect(agent.stream('Count.'));
    const streamed = async () => {
      const deltas = (await store.loadDelta('a')) as unknown as AnswerDelta[];
      for (const delta of deltas) expect(delta).toMatchObject({ messageSeq: 5, stepNumber: 0 });
      const parts = deltas.flatMap((delta) => delta.parts);
      return parts.map(({ text }) => text).join('');
    };
    await expect.poll(streamed).toBe('One two thre');
    await agent.interrupt();
    await hanging;
  });

  testSql('another process follows a turn', async ({ store, another, provider }) => {
    const agent = await create(store, await provider(steps), { tools });
    const following = follow(await another(), { since: 0 });
    const live = await collect(agent.stream('Look.', { operationId: 'first' }));
    expect(live.parts[0]).toEqual({ type: 'start', turnId: 'first', cursor: 1 });
    expect(told((await following).parts)).toEqual(told(live.parts));
  });

  testSql('it may begin in the middle of an answer', async ({ store, another, provider }) => {
    const agent = await create(store, await provider([says('Hello.'), ...steps]), { tools });
    await agent.send('Hi.');
    const other = await another();
    let following: ReturnType<typeof follow> | undefined;
    const live = await collect(agent.stream('Look.'), (part) => {
      if (part.type === 'text-delta' && part.text.includes('tw')) following ??= follow(other);
    });
    expect(told((await following)?.parts ?? [])).toEqual(told(live.parts));
  });

  testSql('a reader goes on after any cursor', async ({ store, another, provider }) => {
    const agent = await create(store, await provider(steps), { tools });
    await collect(agent.stream('Look.'));
    const other = await another();
    const whole = (await follow(other, { since: 0 })).parts;
    const ends = whole.flatMap((part, i) => (part.cursor === undefined ? [] : [i]));
    expect(ends.length).toBeGreaterThan(12);
    for (const i of ends.slice(0, -1)) {
      const { parts } = await follow(other, { since: whole[i]?.cursor });
      expect(parts).toEqual(whole.slice(i + 1));
    }
  });

  testSql(
    'a reader who is cut off while the turn runs misses nothing',
    async ({ store, another, provider }) => {
      const agent = await create(store, await provider(steps), { tools });
      const other = await another();
      const turn = collect(agent.stream('Look.'));
      // Leaves after every other part, and drops what has no cursor yet.
      const kept: AgentStreamPart[] = [];
      let since = 0;
      for (let ended = false; !ended; ) {
        const seen: AgentStreamPart[] = [];
        for await (const part of followAgent(other, 'a', { since })) {
          seen.push(part);
          ended = part.type === 'finish';
          if (part.cursor === undefined) continue;
          since = part.cursor;
          kept.push(...seen.splice(0));
          if (since % 2 === 0) break;
        }
      }
      expect(told(kept)).toEqual(told((await turn).parts));
    },
  );

  testSql('text is seen before it is stored, and once', async ({ store, another, provider }) => {
    const model = await provider([says(STORY, { chunkSize: 4, hangAfter: 3 }), says('Well.')]);
    const agent = await create(store, model);
    const turn = collect(agent.stream('Count.'));
    const other = await another();
    let interrupted: Promise<void> | undefined;
    const seen: AgentStreamPart[] = [];
    const { parts } = await collect(followAgent(other, 'a', { since: 0 }), (part) => {
      seen.push(part);
      if (textIn(seen) === 'One two thre') interrupted ??= agent.interrupt();
    });
    await interrupted;
    expect(textIn(parts)).toBe('One two thre');
    expect(types(parts).slice(-3)).toEqual(['text-end', 'abort', 'finish']);
    expect(parts.at(-1)).toEqual((await turn).parts.at(-1));

    const rest = follow(other, { since: parts.at(-1)?.cursor });
    await agent.run();
    expect(textIn((await rest).parts)).toBe('Well.');
  });

  testSql('approvals, decided by somebody else, and denials', async ({ store, another, provider }) => {
    const answers = [
      asks(['pay', 'c1', { n: 1 }], ['pay', 'c2', { n: 2 }], ['fail', 'c3']),
      says('Paid one.'),
    ];
    const agent = await create(store, await provider(answers), {
      tools: [tool('pay', undefined, { needsApproval: true }), ...tools],
    });
    const other = await another();
    const asking = follow(other, { since: 0 });
    const asked = await collect(agent.stream('Pay.'));
    const { parts } = await asking;
    expect(told(parts)).toEqual(told(asked.parts));
    const requests = parts.filter((part) => part.type === 'tool-approval-request');
    expect(requests).toMatchObject([
      { approvalId: '0', toolCall: { toolCallId: 'c1', input: { n: 1 } } },
      { approvalId: '1', toolCall: { toolCallId: 'c2', input: { n: 2 } } },
    ]);
    expect(parts.at(-1)).toMatchObject({ type: 'finish', status: 'awaiting_approval' });

    await other.decideApproval('a', 'c1', { decision: 'allow' });
    await other.decideApproval('a', 'c2', { decision: 'deny', note: 'too much' });
    const whole = vi.spyOn(other, 'loadToolCallRecords');
    const going = follow(other, { since: parts.at(-1)?.cursor });
    const gone = await collect(agent.stream());
    const rest = await going;
    expect(whole).not.toHaveBeenCalled();
    // The stream tells a denial at once; it is stored with the results.
    const denied = {
      type: 'tool-output-denied',
      toolCallId: 'c2',
      toolName: 'pay',
      input: { n: 2 },
      callSeq: 1,
    };
    const isDenied = (entry: unknown) => (entry as AgentStreamPart).type === 'tool-output-denied';
    expect(rest.parts.filter(isDenied)).toMatchObject([denied]);
    expect(gone.parts.filter(isDenied)).toEqual([denied]);
    expect(told(rest.parts).filter((entry) => !isDenied(entry))).toEqual(
      told(gone.parts).filter((entry) => !isDenied(entry)),
    );
  });

  testSql(
    'a call that a crash cuts off has failed, and the turn goes on',
    async ({ store, another, provider }) => {
      const model = await provider([asks(['stay', 'c1']), says('It is unknown.')]);
      const begun = latch();
      const stay = tool('stay', () => {
        begun.happen();
        return new Promise(() => undefined);
      });
      const dying = await another();
      const turn = collect((await create(dying, model, { tools: [stay] })).stream('Stay.'));
      const following = follow(store, { since: 0 });
      await begun.happened;
      await dying.close();
      await turn;

      await (await resume(await another(), model, { tools: [stay] })).run();
      const { parts } = await following;
      expect(parts.filter(({ type }) => type === 'tool-error')).toMatchObject([
        { toolCallId: 'c1', error: expect.stringContaining('ended before the call did') },
      ]);
      expect(types(parts).filter((type) => type === 'start-step')).toHaveLength(2);
      expect(types(parts).at(-1)).toBe('finish');
    },
  );

  testSql(
    'an answer that a crash cuts off is told again in another step',
    async ({ store, another, provider }) => {
      const model = await provider([says(STORY, { chunkSize: 4, hangAfter: 3 }), says(STORY, SLOWLY)]);
      const dying = await another();
      const turn = collect((await create(dying, model)).stream('Count.'));
      const seen: AgentStreamPart[] = [];
      const half = latch();
      const following = collect(followAgent(store, 'a', { since: 0 }), (part) => {
        seen.push(part);
        if (textIn(seen) === 'One two thre') half.happen();
      });
      await half.happened;
      await dying.close();
      await turn;

      await (await resume(await another(), model)).run();
      const { parts } = await following;
      const again = parts.findLastIndex((part) => part.type === 'start-step');
      expect(types(parts.slice(0, again))).toEqual(['start', 'start-step', ...texts(parts.slice(0, again))]);
      expect(textIn(parts.slice(0, again))).toBe('One two thre');
      expect(parts[again - 1]?.type).toBe('text-end');
      expect(textIn(parts.slice(again))).toBe(STORY);
      expect(parts.at(-1)).toMatchObject({ type: 'finish', status: 'completed' });
    },
  );

  testSql('it ends with a failed turn', async ({ store, another, provider }) => {
    const agent = await create(store, await provider([{ status: 500, message: 'Out of order.' }]));
    const following = follow(await another(), { since: 0 });
    await failureOf(agent.send('Hi.'));
    const { parts, failure } = await following;
    expect(failure).toBeUndefined();
    expect(types(parts)).toEqual(['start', 'error']);
    expect(parts[1]).toMatchObject({
      error: expect.objectContaining({ message: expect.stringContaining('Out of order.') }),
    });
  });

  testSql('it waits when no turn runs, for the next one or until it is stopped', async (world) => {
    const { store } = world;
    const agent = await create(store, await world.provider([says('Hello.'), says('Again.')]));
    await agent.send('Hi.');
    const watch = vi.spyOn(store, 'watch');
    const next = follow(store);
    // It has seen that no turn is under way.
    await expect.poll(() => watch.mock.calls.length).toBeGreaterThan(0);
    await agent.send('And?');
    expect(textIn((await next).parts)).toBe('Again.');

    const stop = new AbortController();
    const stopped = follow(store, { since: 1_000, signal: stop.signal });
    stop.abort();
    expect(await stopped).toEqual({ parts: [], failure: undefined });

    const left = followAgent(store, 'a', { since: 1_000 });
    const waiting = left.next();
    await left.return?.();
    expect(await waiting).toEqual({ done: true, value: undefined });
  });

  testSql("an application's own events and deltas are passed over", async ({ store, provider }) => {
    const agent = await create(store, await provider([says('Hello.')]));
    for (const type of ['start', 'message', 'tool-result', 'finish', 'finish-step', 'error', 'recovered']) {
      await store.appendEvent('a', { channel: 'progress', type, note: 'mine' });
    }
    await store.saveDelta('a', { text: 'mine' });
    const following = follow(store, { since: 0 });
    const live = await collect(agent.stream('Hi.'));
    expect(told((await following).parts)).toEqual(told(live.parts));
  });
});

test('media in an answer, and blocks that nobody streamed', async ({ store, provider }) => {
  const agent = await create(store, await provider([]));
  await agent.close();
  await store.commit('a', {
    messages: [
      {
        role: 'assistant',
        content: [
          { type: 'reasoning', reasoning: '', providerOptions: { anthropic: { redactedData: 'x' } } },
          { type: 'text', text: 'Look: ' },
          { type: 'image', base64: 'AAAA', mime_type: 'image/png' },
          textBlock('Nice.'),
        ],
      },
    ],
    events: [{ channel: 'progress', type: 'message', role: 'assistant', messageSeq: 0, stepNumber: 4 }],
  });
  const parts: AgentStreamPart[] = [];
  for await (const part of followAgent(store, 'a', { since: 0 })) {
    parts.push(part);
    if (part.cursor !== undefined) break;
  }
  expect(parts).toEqual([
    { type: 'start-step', stepNumber: 4 },
    { type: 'reasoning-start', id: '0.0' },
    { type: 'reasoning-end', id: '0.0', providerMetadata: { anthropic: { redactedData: 'x' } } },
    { type: 'text-start', id: '0.1' },
    { type: 'text-delta', id: '0.1', text: 'Look: ' },
    { type: 'text-end', id: '0.1' },
    { type: 'file', file: { base64: 'AAAA', mediaType: 'image/png' } },
    { type: 'text-start', id: '0.3' },
    { type: 'text-delta', id: '0.3', text: 'Nice.' },
    { type: 'text-end', id: '0.3', cursor: 1 },
  ]);
});

test('an agent that does not exist, and a cursor that is none', async ({ store, provider }) => {
  expect((await follow(store)).failure).toBeInstanceOf(AgentNotFoundError);
  await create(store, await provider([]));
  expect((await follow(store, { since: -1 })).failure).toBeInstanceOf(ValidationError);
});

it('a store that cannot be watched is refused by name', async () => {
  const folder = await makeTemporaryDirectory();
  await using store = new JSONStore(folder);
  try {
    const follow = () => followAgent(store as unknown as ExtendedStore, 'a');
    expect(follow).toThrow(ValidationError);
    expect(follow).toThrow(/^store: can't be watched; a SqliteStore/);
  } finally {
    await store.close();
    await removeDirectory(folder);
  }
});
