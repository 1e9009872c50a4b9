import { KodeError } from '../errors.ts';
import type { Message } from '../model/message.ts';
import type { Store } from '../store/store.ts';
import { answers, asks, assistant, conversation, progress, user } from './samples.ts';

/** Numbers from 0 up to but not including `below`; the same seed always gives the same ones. */
export function randomNumbers(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    // The generator known as mulberry32.
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296) * below);
  };
}

type Act = (store: Store, agentId: string, random: (below: number) => number) => Promise<unknown>;

const ACTS: Act[] = [
  (store, id, random) => store.appendMessages(id, conversation(1 + random(4), `${random(100)}.`)),
  (store, id) => store.commit(id, { messages: [assistant('let me see'), asks('x', 'y')] }),
  (store, id) =>
    store.commit(id, {
      messages: [answers('x')],
      toolCalls: [{ toolCallId: 'x', state: 'completed', output: 0 }],
      events: [progress('done')],
    }),
  (store, id) => store.saveToolCallRecords(id, [{ toolCallId: 'y', state: 'approval_required' }]),
  (store, id, random) => store.decideApproval(id, 'y', { decision: random(2) === 0 ? 'allow' : 'deny' }),
  async (store, id, random) => {
    const messages: Message[] = await store.loadMessages(id);
    const kept = messages.slice(0, random(messages.length + 1));
    await store.saveMessages(id, [...kept, user(`rewritten ${random(1_000)}`)]);
  },
  (store, id, random) => store.saveSnapshot(id, { id: `s${random(3)}` }),
  (store, id, random) => store.saveSnapshot(id, { id: `s${random(3)}`, messages: conversation(random(4)) }),
  (store, id, random) => store.fork(id, random(2) === 0 ? {} : { at: random(6) }),
  (store, id, random) => store.fork(id, { at: `s${random(3)}` }),
  (store, id) => store.delete(id),
  (store, id, random) => store.saveTodos(id, { todos: [{ title: 'x', done: random(2) === 0 }] }),
  (store, id, random) => store.saveInfo(id, { metadata: { n: random(5) }, status: 'running' }),
  (store, id, random) =>
    store.saveDocument(id, { kind: 'recovered-file', name: `f${random(3)}`, content: random(9) }),
  (store, id, random) => store.commit(id, { compaction: { seq: random(4), messages: [user('summary')] } }),
  (store, id) => store.commit(id, { usage: [{ model: 'm', inputTokens: 3, latencyMs: 12 }] }),
  (store, id) => store.saveDelta(id, { text: 'typing' }),
];

/**
 * Random calls on a handful of agents, in turn on each of the stores. Calls that the store refuses with an
 * error of its own are part of it; any other error is thrown.
 */
export async function randomWorkload(stores: readonly Store[], seed: number, acts: number): Promise<void> {
  const random = randomNumbers(seed);
  for (let n = 0; n < acts; n += 1) {
    const store = stores[n % stores.length];
    if (!store) return;
    const ids = await store.list();
    const agentId = ids.length < 3 ? `${seed}-${n}` : ids[random(ids.length)];
    const act = ACTS[random(ACTS.length)];
    if (agentId === undefined || !act) continue;
    try {
      if (!ids.includes(agentId)) await store.saveInfo(agentId, { templateId: `t${random(2)}` });
      await act(store, agentId, random);
    } catch (error) {
      if (!(error instanceof KodeError)) throw error;
    }
  }
}
