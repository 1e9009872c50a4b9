import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { JSONStore } from '../../src/json/store.ts';
import type { TurnCommit } from '../../src/model/agent.ts';
import type { Message } from '../../src/model/message.ts';
import type { ToolCallUpdate } from '../../src/model/tool-call.ts';
import type { Store } from '../../src/store/store.ts';
import { interleave, timed } from '../measure.ts';
import { playAgent } from '../played-agent.ts';
import type { RawDatabase } from '../raw/raw.ts';
import { atMost } from '../result.ts';
import { answered, type Turn } from '../turns.ts';
import { type Bounds, METADATA, type Workload } from '../workload.ts';

const BOUNDS: Bounds = { sqlite: atMost(1), postgres: atMost(1.5) };
const SENDS = 3;

/** An agent that is created, sent to and resumed: the whole of it, what it asks of its store, and that one's floor. */
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
      turns = Array.from({ length: SENDS }, () => answered(bench.turns.nextWithCall()));
    };
    const calls = (one: Store, what: string) => callsOfTheStore(one, `${what}-${count}`, turns);
    try {
      const ours = { before, run: () => playAgent(store, `agent-${count}`, turns) };
      const files = { run: () => playAgent(json, `agent-${count}`, turns) };
      const what = `create, ${SENDS} turns, resume`;
      const whole = await interleave(ours, files, effort);
      yield timed({ what, to, bound: BOUNDS[bench.backend] }, whole);
      const ofStore = { before, run: () => calls(store, 'calls') };
      const alone = await interleave(ofStore, { run: () => calls(json, 'calls') }, effort);
      yield timed({ what: 'its calls of the store alone', to }, alone);
      const bare = { before, run: () => transactions(raw, turns) };
      const floor = await interleave(bare, { run: () => calls(json, 'floor') }, effort);
      yield timed({ what: 'the same transactions by the bare driver', to }, floor);
    } finally {
      await json.close();
      await rm(folder, { recursive: true, force: true });
    }
  },
};

/** What an agent asks of its store: `test/agent/turn.test.ts` says the same of its commits. */
async function callsOfTheStore(store: Store, agentId: string, turns: readonly Turn[]): Promise<void> {
  const info = { templateId: 'assistant', metadata: METADATA };
  await store.commit(agentId, { info, expectedVersion: 0 });
  const lease = await store.acquireAgentLock(agentId);
  for (const turn of turns) {
    for (const change of commitsOf(turn)) await store.commit(agentId, { ...change, lease });
  }
  await lease.release();
  const next = await store.acquireAgentLock(agentId);
  await store.loadAgent(agentId);
  await next.release();
}

/** A commit for each message: calls begin with the one that asks for them, and the last ends with the results. */
function commitsOf({ messages, toolCalls, events, info }: Turn): TurnCommit[] {
  const commits: TurnCommit[] = [];
  let last: ToolCallUpdate[] = [];
  for (const message of messages) {
    const outcomes = outcomesOf(message, toolCalls);
    const beginning = outcomes.map(({ toolCallId }) => ({ toolCallId, state: 'executing' as const }));
    commits.push({ messages: [message], toolCalls: [...last, ...beginning] });
    commits.push(...outcomes.slice(0, -1).map((outcome) => ({ toolCalls: [outcome] })));
    last = outcomes.slice(-1);
  }
  const each = Math.ceil(events.length / commits.length);
  return commits.map((change, i) => ({
    ...change,
    events: events.slice(i * each, (i + 1) * each),
    ...(i === 0 && { info: { status: 'running' as const } }),
    ...(i === commits.length - 1 && { info: { ...info, status: 'idle' as const } }),
  }));
}

function outcomesOf({ content }: Message, toolCalls: readonly ToolCallUpdate[]): ToolCallUpdate[] {
  const ids = new Set(content.flatMap((block) => (block.type === 'tool_use' ? [String(block.id)] : [])));
  return toolCalls.filter(({ toolCallId }) => ids.has(toolCallId));
}

/** As many transactions as the store makes for the same work, and the same rows. */
async function transactions(raw: RawDatabase, turns: readonly Turn[]): Promise<void> {
  const agent = await raw.create(METADATA);
  const nothing: Turn = { messages: [], toolCalls: [], events: [], info: turns[0]?.info ?? {} };
  // The lease is taken.
  await raw.commit(agent, nothing);
  for (const turn of turns) {
    const { info } = turn;
    for (const { messages = [], events = [] } of commitsOf(turn)) {
      // A call is one row there, and is written once.
      const toolCalls = messages.flatMap((message) => outcomesOf(message, turn.toolCalls));
      await raw.commit(agent, { messages, toolCalls, events, info });
    }
  }
  // It is given back, taken again for the resumption, and given back.
  await raw.commit(agent, nothing);
  await raw.commit(agent, nothing);
  await raw.load(agent);
  await raw.commit(agent, nothing);
}
