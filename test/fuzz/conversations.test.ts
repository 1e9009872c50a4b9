import { describe, expect, it } from 'vitest';
import { KodeError } from '../../src/errors.ts';
import { fromModelMessages, toModelMessages, toUIMessages } from '../../src/index.ts';
import type { Message } from '../../src/model/message.ts';
import type { Store } from '../../src/store/store.ts';
import { answers, asks, assistant, toolUse, user } from '../../src/testing/samples.ts';
import { jsonBackend, sqliteBackend } from '../support/backends.ts';
import type { Anything } from './store-entries.ts';
import { transcripts } from './transcripts.ts';
import { Chance } from './wrong-values.ts';

/** Histories for each kind of store; as many more as KODE_PROPERTY_RUNS is more than 500. */
const RUNS = Math.ceil(Number(process.env.KODE_PROPERTY_RUNS ?? 500) / 5);
const SEED = Number(process.env.KODE_PROPERTY_SEED ?? Math.floor(Math.random() * 0x7fff_ffff));
const LIMIT_MS = 60_000 + RUNS * 500;

/** What mutations put somewhere: of the kinds that JSON has, as a damaged record would. */
const ODD: readonly (() => unknown)[] = [
  () => null,
  () => '',
  () => 0,
  () => -1,
  () => true,
  () => [],
  () => ({}),
  () => 'tool_use',
  () => 'x'.repeat(300),
  () => '\u0000\ud800',
  () => [{ type: 'text' }],
  () => ({ type: 'tool_result', tool_use_id: 'c1' }),
];

const GENERATED: readonly Message[][] = [
  [user('go'), asks('c1', 'c2'), answers('c1', 'c2'), assistant('done')],
  [
    user('again'),
    { role: 'assistant', content: [toolUse('c1'), { type: 'text', text: 'and' }, toolUse('c1')] },
    answers('c1'),
    answers('c1'),
    { role: 'system', content: [{ type: 'text', text: 'be brief' }], metadata: { partial: true } },
  ],
  [
    { role: 'user', content: [{ type: 'image', url: 'https://example.com/a.png', mime_type: 'image/png' }] },
    {
      role: 'assistant',
      content: [
        { type: 'reasoning', reasoning: 'hm', providerOptions: { p: { signature: 's' } } },
        { type: 'hologram', data: { deep: [1, { a: 2 }] } },
        { ...toolUse('c3', 'search', { q: ['a', { b: null }] }), providerExecuted: true },
        {
          type: 'tool_result',
          tool_use_id: 'c3',
          content: [{ type: 'text', text: 'found' }],
          is_error: false,
        },
      ],
    },
  ],
];

describe('A3 recorded conversations that are damaged', () => {
  console.log(`${RUNS} damaged conversations: KODE_PROPERTY_SEED=${SEED}`);
  const recorded = [...GENERATED, ...transcripts()];

  for (const backend of [sqliteBackend(), jsonBackend()]) {
    it(
      `${backend.name}: are stored as they are, or refused as a whole`,
      async () => {
        const database = await backend.create();
        const store = await database.open();
        const chance = new Chance(SEED);
        const counts = { stored: 0, refused: 0 };
        try {
          for (let run = 0; run < RUNS; run += 1) {
            const messages = damaged(chance.pick(recorded), chance);
            const why = await complaintAbout(store, `agent ${run}`, messages, counts);
            if (why) expect.fail(`${why}: ${JSON.stringify(messages)}`);
          }
          expect(Math.min(counts.stored, counts.refused)).toBeGreaterThan(0);
        } finally {
          await store.close();
          await database.destroy();
        }
      },
      LIMIT_MS,
    );
  }
});

async function complaintAbout(
  store: Store,
  agentId: string,
  messages: Anything,
  counts: { stored: number; refused: number },
): Promise<string | undefined> {
  let prompt: Anything;
  for (const [name, work] of [
    ['toModelMessages', () => (prompt = toModelMessages(messages))],
    ['fromModelMessages', () => fromModelMessages(prompt ?? messages)],
    ['fromModelMessages of stored ones', () => fromModelMessages(messages)],
    ['toUIMessages', () => toUIMessages(messages)],
  ] as const) {
    try {
      work();
    } catch (error) {
      if (!(error instanceof KodeError)) return `${name} threw ${error}`;
    }
  }
  await store.saveInfo(agentId, {});
  try {
    await store.appendMessages(agentId, messages);
  } catch (error) {
    if (!(error instanceof KodeError)) return `appendMessages threw ${error}`;
    counts.refused += 1;
    return (await store.loadMessages(agentId)).length === 0 ? undefined : 'was refused and stored in part';
  }
  counts.stored += 1;
  const loaded = await store.loadAgent(agentId);
  if (JSON.stringify(loaded.messages) !== JSON.stringify(messages)) return 'came back as something else';
  await store.saveMessages(agentId, loaded.messages);
  await store.saveToolCallRecords(agentId, loaded.toolCalls);
  return undefined;
}

/** A piece of a conversation, with one to three places changed, left out, doubled or swapped. */
function damaged(conversation: readonly Message[], chance: Chance): unknown {
  const start = chance.below(Math.max(1, conversation.length - 4));
  let piece: unknown = structuredClone(conversation.slice(start, start + 6));
  for (let times = 1 + chance.below(3); times > 0; times -= 1) piece = changed(piece, chance);
  return piece;
}

function changed(value: unknown, chance: Chance): unknown {
  if (typeof value !== 'object' || value === null || chance.below(6) === 0) return chance.pick(ODD)();
  if (Array.isArray(value)) {
    const copy = [...value];
    if (copy.length === 0) return [chance.pick(ODD)()];
    const place = chance.below(copy.length);
    const change = chance.below(5);
    if (change === 0) copy.splice(place, 1);
    else if (change === 1) copy.splice(place, 0, structuredClone(copy[place]));
    else if (change === 2) copy.reverse();
    else copy[place] = changed(copy[place], chance);
    return copy;
  }
  const copy: Record<string, unknown> = { ...value };
  const keys = Object.keys(copy);
  const key = keys.length === 0 ? 'x' : chance.pick(keys);
  const change = chance.below(5);
  if (change === 0) delete copy[key];
  else if (change === 1) copy[`${key}s`] = copy[key];
  else copy[key] = changed(copy[key], chance);
  return copy;
}
