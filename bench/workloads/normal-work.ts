import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { JSONStore } from '../../src/json/store.ts';
import type { Message } from '../../src/model/message.ts';
import type { ToolCallUpdate } from '../../src/model/tool-call.ts';
import type { Store } from '../../src/store/store.ts';
import { interleave, timed } from '../measure.ts';
import type { RawDatabase } from '../raw/raw.ts';
import { atMost } from '../result.ts';
import type { Turn } from '../turns.ts';
import { type Bounds, METADATA, type Workload } from '../workload.ts';

const BOUNDS: Bounds = { sqlite: atMost(1), postgres: atMost(1.5) };
const SENDS = 3;

/** What an agent does all day, by the commits that it makes for it. */
export const normalWork: Workload = {
  name: 'normal-work',
  title: 'Creating an agent, sending to it, and resuming it, against our JSON files',
  backends: ['sqlite', 'postgres'],
  async *run(bench) {
    const { store, raw } = await bench.open();
    const folder = await mkdtemp(join(tmpdir(), 'kode-bench-'));
    const json = new JSONStore(join(folder, 'store'), { durability: 'full' });
    const effort = bench.effort(30);
    const to = 'JSON files';
    let count = 0;
    let turns: Turn[] = [];
    const before = () => {
      count += 1;
      turns = Array.from({ length: SENDS }, () => bench.turns.nextWithCall());
    };
    const compare = async (work: (store: Store) => Promise<unknown>) =>
      interleave({ before, run: () => work(store) }, { run: () => work(json) }, effort);
    try {
      const all = await compare(async (one) => {
        await create(one, `agent-${count}`);
        for (const turn of turns) await send(one, `agent-${count}`, turn);
        await resume(one, `agent-${count}`);
      });
      const what = `create, ${SENDS} turns, resume`;
      yield timed({ what, to, bound: BOUNDS[bench.backend] }, all);
      const files = async () => {
        const agentId = `floor-${count}`;
        await create(json, agentId);
        for (const turn of turns) await send(json, agentId, turn);
        await resume(json, agentId);
      };
      const bare = { before, run: () => transactions(raw, turns) };
      const floor = await interleave(bare, { run: files }, effort);
      yield timed({ what: 'the same transactions by the bare driver', to }, floor);
      const created = await compare((one) => create(one, `other-${count}`));
      yield timed({ what: 'create', to }, created);
      const agentId = `agent-${count}`;
      for (const one of [store, json]) await create(one, agentId);
      const sent = await compare((one) => send(one, agentId, turns[0] ?? bench.turns.nextWithCall()));
      yield timed({ what: 'one turn', to }, sent);
      yield timed({ what: 'resume', to }, await compare((one) => resume(one, agentId)));
    } finally {
      await json.close();
      await rm(folder, { recursive: true, force: true });
    }
  },
};

async function create(store: Store, agentId: string): Promise<void> {
  await store.commit(agentId, {
    info: { templateId: 'assistant', userId: 'user-1', status: 'idle', metadata: METADATA },
    expectedVersion: 0,
  });
}

/** A commit for each message, and one each for the beginning and the end of the calls that it asks for. */
async function send(store: Store, agentId: string, turn: Turn): Promise<void> {
  const lease = await store.acquireAgentLock(agentId);
  const events = [...turn.events];
  const last = turn.messages.length - 1;
  for (const [i, message] of turn.messages.entries()) {
    const info = i === 0 ? ({ status: 'running' } as const) : {};
    await store.commit(agentId, { messages: [message], info, events: events.splice(0, 2), lease });
    for (const outcome of outcomesOf(message, turn)) {
      const { toolCallId } = outcome;
      await store.commit(agentId, { toolCalls: [{ toolCallId, state: 'executing' }], lease });
      await store.commit(agentId, { toolCalls: [outcome], events: events.splice(0, 2), lease });
    }
    if (i === last) await store.commit(agentId, { info: { ...turn.info, status: 'idle' }, events, lease });
  }
  await lease.release();
}

function outcomesOf({ content }: Message, { toolCalls }: Turn): ToolCallUpdate[] {
  const ids = new Set(content.flatMap((block) => (block.type === 'tool_use' ? [String(block.id)] : [])));
  return toolCalls.filter(({ toolCallId }) => ids.has(toolCallId));
}

/** As many transactions as the store makes for the same work, and the same rows. */
async function transactions(raw: RawDatabase, turns: readonly Turn[]): Promise<void> {
  const agent = await raw.create(METADATA);
  for (const turn of turns) {
    const { messages, toolCalls, events, info } = turn;
    const nothing: Turn = { messages: [], toolCalls: [], events: [], info };
    const parts: Turn[] = messages.map((message) => ({ ...nothing, messages: [message], toolCalls: [] }));
    for (const call of toolCalls) {
      const asking = parts.find(
        ({ messages: [message] }) => message && outcomesOf(message, turn).includes(call),
      );
      asking?.toolCalls.push(call);
      parts.push(nothing, nothing);
    }
    // The lease is taken and given back, and the turn ends.
    parts.push(nothing, nothing, { ...nothing, events });
    for (const part of parts) await raw.commit(agent, part);
  }
  await raw.commit(agent, { messages: [], toolCalls: [], events: [], info: turns[0]?.info ?? {} });
  await raw.load(agent);
  await raw.commit(agent, { messages: [], toolCalls: [], events: [], info: turns[0]?.info ?? {} });
}

async function resume(store: Store, agentId: string): Promise<void> {
  const lease = await store.acquireAgentLock(agentId);
  await store.loadAgent(agentId);
  await lease.release();
}
