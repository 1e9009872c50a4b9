import type { CompactionRecord } from '../../model/agent.ts';
import type { Message } from '../../model/message.ts';
import type { AgentState, Chain } from '../agent-state.ts';
import { number, parseJson, parseMessages } from '../codec.ts';
import type { Driver, Row, Script } from '../driver.ts';
import { run } from '../driver.ts';
import { statement } from '../statement.ts';

const SEGMENT = statement(
  'read_segment',
  `SELECT seq, payload FROM {messages}
   WHERE tree = $1 AND branch = $2 AND seq >= $3 AND seq < $4 ORDER BY seq`,
);

/** The rows [from, to) of a conversation, oldest first, segment by segment. */
export function* readRange(tree: number, chain: Chain, from: number, to: number): Script<Row[]> {
  const rows: Row[] = [];
  for (const segment of [...chain].reverse()) {
    const lo = Math.max(segment.lo, from);
    const hi = Math.min(segment.hi, to);
    if (lo < hi) rows.push(...(yield* run(SEGMENT, [tree, segment.branch, lo, hi])));
  }
  return rows;
}

export function* readMessages(agentId: string, state: AgentState, from = 0): Script<Message[]> {
  const rows = yield* readRange(state.keys.tree, state.chain, from, state.head.messageCount);
  return parseMessages(rows, `messages of agent "${agentId}"`);
}

/** The exact texts of the first `count` messages. */
export async function readPayloads(driver: Driver, state: AgentState, count: number): Promise<string[]> {
  if (count === 0) return [];
  const rows = await driver.snapshot(() => readRange(state.keys.tree, state.chain, 0, count));
  return rows.map((row) => String(row.payload));
}

const COMPACTIONS = statement(
  'read_compactions',
  `SELECT position, upto, created_at, messages, metadata FROM {compactions}
   WHERE tree = $1 AND branch = $2 AND position <= $3 AND version <= $4
   ORDER BY version`,
);

/** Compactions that were made within this conversation, oldest first. */
export function* readCompactions(agentId: string, state: AgentState): Script<CompactionRecord[]> {
  const records: CompactionRecord[] = [];
  for (const segment of [...state.chain].reverse()) {
    const rows = yield* run(COMPACTIONS, [state.keys.tree, segment.branch, segment.hi, segment.versionHi]);
    for (const row of rows) {
      const where = `compaction at ${row.position} of agent "${agentId}"`;
      records.push({
        seq: number(row.upto),
        messages: parseJson(row.messages, where) as Message[],
        createdAt: new Date(number(row.created_at)),
        ...(row.metadata === null
          ? {}
          : { metadata: parseJson(row.metadata, where) as Record<string, unknown> }),
      });
    }
  }
  return records;
}
