import type { ContentBlock, Message } from '../../src/model/message.ts';
import type { Engine } from '../../src/sql/engine.ts';
import type { Op } from '../../src/sql/port/batch.ts';
import { TABLES } from '../../src/sql/schema/tables.ts';
import { headRow, newState } from '../../src/sql/write/create.ts';
import { newMetadata } from '../../src/sql/write/info-ops.ts';
import type { ExtendedStore } from '../../src/store/store.ts';

/** The database's day: everything happened within it. */
export const DAY = Date.UTC(2025, 0, 31);
const SECOND = 1_000;

export interface Size {
  /** Agents with a short conversation. */
  busy: number;
  /** Agents without one. */
  quiet: number;
  /** Messages of the long conversation. */
  long: number;
}

/** At this size, a wrong plan costs. */
export const LARGE: Size = { busy: 600, quiet: 20_000, long: 3_000 };
/** Agents' metadata has a certain weight. */
const NOTES = 'what is known of the customer '.repeat(8);

/** Where the forks of the long conversation begin: the first in the middle of a step. */
export function forkPoints({ long }: Size): { fork: number; forkOfFork: number } {
  return { fork: long - 58, forkOfFork: long + 32 };
}

/** Agents with a short conversation each, many more without one, a long one, and a fork of a fork of it. */
export async function fill(store: ExtendedStore, engine: Engine, size: Size): Promise<void> {
  for (let start = 0; start < size.busy; start += 50) {
    const count = Math.min(50, size.busy - start);
    await Promise.all(Array.from({ length: count }, (_, i) => createBusy(store, start + i)));
  }
  for (let start = 0; start < size.quiet; start += 2_000) {
    await createQuiet(engine, start, Math.min(2_000, size.quiet - start));
  }
  await createLong(store, size);
}

async function createBusy(store: ExtendedStore, n: number): Promise<void> {
  await store.commit(`busy-${n}`, {
    info: {
      createdAt: new Date(DAY + n * SECOND),
      templateId: `template-${n % 5}`,
      userId: `user-${n % 100}`,
      status: n % 20 === 0 ? 'running' : 'idle',
      metadata: { tier: n % 3 === 0 ? 'gold' : 'free', place: { row: n % 50 }, notes: NOTES },
    },
    messages: steps(4, n),
    at: new Date(DAY + n * SECOND),
    toolCalls: outcomes(4, n),
    usage: [{ model: 'model', inputTokens: 10, latencyMs: n }],
    expectedVersion: 0,
  });
  await store.saveDelta(`busy-${n}`, { text: NOTES });
}

async function createLong(store: ExtendedStore, size: Size): Promise<void> {
  await store.saveInfo('long', { createdAt: new Date(DAY) });
  for (let n = 0; n < size.long / 300; n += 1) {
    await store.commit('long', {
      messages: steps(100, n),
      toolCalls: outcomes(100, n),
      at: new Date(DAY + n * SECOND),
    });
  }
  const points = forkPoints(size);
  await store.fork('long', { agentId: 'fork', at: points.fork });
  await store.commit('fork', { messages: steps(40, 1), toolCalls: outcomes(40, 1) });
  await store.fork('fork', { agentId: 'fork-of-fork', at: points.forkOfFork });
  await store.commit('fork-of-fork', { messages: steps(20, 2) });
  // What its forks don't have lies on the same branches.
  await store.commit('long', { messages: steps(100, 3) });
  const channels = ['progress', 'progress', 'control', 'progress', 'monitor'] as const;
  const events = channels.map((channel) => ({ channel, type: 'text', text: NOTES }));
  const rows = Array.from({ length: size.long }, (_, n) =>
    store.commit('long', {
      events: events.slice(n % 4),
      at: new Date(DAY * 2 + n * SECOND),
      allowFuture: true,
    }),
  );
  await Promise.all(rows);
}

/** Each a question, a call and its result; now and then a word of the system, or a block of another kind. */
function steps(count: number, n: number): Message[] {
  return Array.from({ length: count }, (_, i) => {
    const id = `call-${n}-${i}`;
    const name = (i + n) % 10 === 0 ? 'rare' : 'search';
    const asked: ContentBlock = i % 50 === 7 ? { type: 'image', url: 'data:' } : { type: 'text', text: 'go' };
    const messages: Message[] = [
      { role: i % 25 === 3 ? 'system' : 'user', content: [asked] },
      {
        role: 'assistant',
        content: [
          { type: 'text', text: 'I see '.repeat(20) },
          { type: 'tool_use', id, name, input: { n } },
        ],
      },
      { role: 'user', content: [{ type: 'tool_result', tool_use_id: id, content: 'found '.repeat(20) }] },
    ];
    return messages;
  }).flat();
}

function outcomes(count: number, n: number) {
  return Array.from({ length: count }, (_, i) => {
    const toolCallId = `call-${n}-${i}`;
    if (i % 10 === 4) return { toolCallId, state: 'failed' as const, error: 'no', durationMs: i };
    if (i % 25 === 3) return { toolCallId, state: 'approval_required' as const };
    return { toolCallId, state: 'completed' as const, output: 'found', durationMs: i };
  });
}

/** Agents without a conversation, as rows: commits of their own would take a while. */
async function createQuiet({ context }: Engine, start: number, count: number): Promise<void> {
  const ops: Op[] = [];
  const rows = { directory: [], branches: [], heads: [], agents: [] } as Record<
    string,
    (string | number | null)[][]
  >;
  const metadata: Op[] = [];
  for (let n = start; n < start + count; n += 1) {
    const agent = await context.directory.newKey();
    const branch = await context.directory.newKey();
    const keys = { tree: agent, agent };
    const at = DAY + n * SECOND;
    const text = JSON.stringify({
      tier: n % 1_000 === 0 ? 'gold' : 'free',
      place: { row: n % 500 },
      notes: NOTES,
    });
    rows.directory?.push([`quiet-${n}`, agent, agent]);
    rows.branches?.push(branchRow({ tree: agent, branch, agent, parent: null }));
    rows.heads?.push(headRow(newState(keys, branch), at));
    const template = `template-${n % 7}`;
    rows.agents?.push([
      agent,
      agent,
      `quiet-${n}`,
      template,
      `user-${n % 900}`,
      at,
      '1',
      '[]',
      null,
      null,
      text,
      null,
    ]);
    metadata.push(...newMetadata(keys, text));
  }
  for (const table of ['directory', 'branches', 'heads', 'agents'] as const) {
    ops.push({ kind: 'insert', table, rows: rows[table] ?? [] });
  }
  for (const table of ['metadata', 'metadata_jsonb'] as const) {
    const ofTable = metadata.filter((op) => op.table === table);
    ops.push({ kind: 'insert', table, rows: ofTable.flatMap((op) => op.rows) });
  }
  await context.driver.batch({ ops });
}

/** A row of `branches`, in the order of its columns; what isn't given is 0. */
function branchRow(given: Record<string, number | null>): (number | null)[] {
  return Object.keys(TABLES.branches.columns).map((column) =>
    column in given ? (given[column] ?? null) : 0,
  );
}
