import type { CompactionRecord } from '../../model/agent.ts';
import type { Message } from '../../model/message.ts';
import type { Segment } from '../chain.ts';
import { number, parseJson, parseMessages } from '../codec.ts';
import type { Conversation } from '../conversation.ts';
import type { Driver, Script } from '../port/driver.ts';
import { run } from '../port/driver.ts';
import { statementOfArrays, statementOfValues } from '../port/statement.ts';
import type { SqlValue } from '../port/values.ts';
import { type Load, type LoadSelect, MomentQuery } from './load.ts';

const SEGMENT = statementOfValues(
  'read_segment',
  `SELECT payload FROM {messages}
   WHERE tree = $1 AND branch = $2 AND seq >= $3 AND seq < $4 ORDER BY seq`,
);

/** The texts [from, to) of a conversation, oldest first, segment by segment. */
export function* readRange(
  tree: number,
  chain: readonly Segment[],
  from: number,
  to: number,
): Script<SqlValue[]> {
  const segments: SqlValue[][] = [];
  for (const segment of [...chain].reverse()) {
    const lo = Math.max(segment.lo, from);
    const hi = Math.min(segment.hi, to);
    if (lo < hi) segments.push(yield* run(SEGMENT, [tree, segment.branch, lo, hi]));
  }
  return segments.length === 1 ? (segments[0] ?? []) : segments.flat();
}

export function* readMessages(agentId: string, state: Conversation, from = 0): Script<Message[]> {
  const payloads = yield* readRange(state.keys.tree, state.chain, from, state.head.messageCount);
  return parseMessages(payloads, `agent "${agentId}"`, from);
}

/** Texts that are compared at a time where statements cost little: they are garbage then, and cheap as long as they are young. */
const COMPARED_AT_ONCE = 256;

/** How many of the first `count` messages of a conversation have these exact texts. */
export async function commonLength(
  driver: Driver,
  { keys, chain }: Conversation,
  messages: readonly { readonly payload: string }[],
  count: number,
): Promise<number> {
  if (count === 0) return 0;
  const { readsAtOnce } = driver.dialect;
  const [only, ...others] = chain;
  // One statement alone sees one moment without a transaction, whose ends are round trips.
  if (readsAtOnce && only && others.length === 0) {
    return commonFrom(0, count, await driver.read(SEGMENT, [keys.tree, only.branch, 0, count]), messages);
  }
  const step = readsAtOnce ? count : COMPARED_AT_ONCE;
  return driver.snapshot(function* () {
    for (let from = 0; from < count; from += step) {
      const to = Math.min(from + step, count);
      const common = commonFrom(from, to, yield* readRange(keys.tree, chain, from, to), messages);
      if (common < to) return common;
    }
    return count;
  });
}

/** Up to where messages from `from` to `to` have these texts. */
function commonFrom(
  from: number,
  to: number,
  payloads: readonly SqlValue[],
  messages: readonly { readonly payload: string }[],
): number {
  const differing = payloads.findIndex((payload, i) => payload !== messages[from + i]?.payload);
  if (differing !== -1) return from + differing;
  // Rows that are missing differ, too.
  return Math.min(to, from + payloads.length);
}

/** At once: the messages from `from` on, which is an expression. A look-up of each branch's range. */
function selectMessages(from: string): LoadSelect {
  return {
    columns: ['messages.seq', 'messages.payload'],
    from: `chain CROSS JOIN LATERAL (
      SELECT m.seq, m.payload FROM {messages} AS m WHERE m.tree = chain.tree AND m.branch = chain.branch
        AND m.seq >= greatest(chain.lo, ${from}) AND m.seq < chain.hi OFFSET 0) AS messages`,
  };
}

export const MESSAGES = selectMessages('0');

/** Branches come one after the other, so the client has little to sort; the database would sort all texts. */
export function decodeMessages(agentId: string, rows: SqlValue[][]): Message[] {
  if (!rows.every((row, i) => i === 0 || number(rows[i - 1]?.[0]) < number(row[0]))) {
    rows.sort((one, other) => number(one[0]) - number(other[0]));
  }
  const payloads = rows.map((row) => row[1] ?? null);
  return parseMessages(payloads, `agent "${agentId}"`, number(rows[0]?.[0] ?? 0));
}

export const LOAD_MESSAGES: Load<Message[]> = {
  script: readMessages,
  query: new MomentQuery('load_messages', [MESSAGES]),
  decode: (agentId, [messages = []]) => decodeMessages(agentId, messages),
};

const COMPACTION_COLUMNS = [
  'compactions.upto',
  'compactions.created_at',
  'compactions.messages',
  'compactions.metadata',
  'compactions.position',
] as const;

const COMPACTIONS_OF_SEGMENT = statementOfArrays(
  'read_compactions',
  `SELECT ${COMPACTION_COLUMNS.join(', ')} FROM {compactions} AS compactions
   WHERE tree = $1 AND branch = $2 AND position <= $3 AND version <= $4
   ORDER BY version`,
);

/** Compactions that were made within this conversation, oldest first. */
export function* readCompactions(agentId: string, state: Conversation): Script<CompactionRecord[]> {
  const records: CompactionRecord[] = [];
  for (const segment of [...state.chain].reverse()) {
    const { branch, hi, versionHi } = segment;
    const rows = yield* run(COMPACTIONS_OF_SEGMENT, [state.keys.tree, branch, hi, versionHi]);
    for (const row of rows) records.push(decodeCompaction(agentId, row));
  }
  return records;
}

const LAST_COMPACTION_OF_SEGMENT = statementOfArrays(
  'read_last_compaction',
  `SELECT ${COMPACTION_COLUMNS.join(', ')} FROM {compactions} AS compactions
   WHERE tree = $1 AND branch = $2 AND position <= $3 AND version <= $4
   ORDER BY version DESC LIMIT 1`,
);

/** The newest of them: the nearest branch that has one has it. */
export function* readLastCompaction(
  agentId: string,
  state: Conversation,
): Script<CompactionRecord | undefined> {
  for (const { branch, hi, versionHi } of state.chain) {
    const [row] = yield* run(LAST_COMPACTION_OF_SEGMENT, [state.keys.tree, branch, hi, versionHi]);
    if (row) return decodeCompaction(agentId, row);
  }
  return undefined;
}

const MADE_HERE = `chain JOIN {compactions} AS compactions ON compactions.tree = chain.tree
  AND compactions.branch = chain.branch AND compactions.position <= chain.hi
  AND compactions.version <= chain.version_hi`;
const LATEST_FIRST = 'ORDER BY chain.depth, compactions.version DESC';

export const LAST_COMPACTION: LoadSelect = {
  columns: COMPACTION_COLUMNS,
  from: `${MADE_HERE} ${LATEST_FIRST} LIMIT 1`,
};

export function decodeCompaction(agentId: string, row: readonly SqlValue[]): CompactionRecord {
  const [upto, createdAt, messages, metadata = null, position] = row;
  const where = `compaction at ${position} of agent "${agentId}"`;
  return {
    seq: number(upto),
    messages: parseJson(messages, where) as Message[],
    createdAt: new Date(number(createdAt)),
    ...(metadata === null ? {} : { metadata: parseJson(metadata, where) as Record<string, unknown> }),
  };
}

export const LOAD_COMPACTIONS: Load<CompactionRecord[]> = {
  script: readCompactions,
  query: new MomentQuery('load_compactions', [
    { columns: COMPACTION_COLUMNS, from: `${MADE_HERE} ORDER BY chain.depth DESC, compactions.version` },
  ]),
  decode: (agentId, [rows = []]) => rows.map((row) => decodeCompaction(agentId, row)),
};

/** The messages that follow those which the last compaction stands for. */
export const MESSAGES_SINCE_COMPACTION = selectMessages(
  `coalesce((SELECT compactions.upto FROM ${MADE_HERE} ${LATEST_FIRST} LIMIT 1), 0)`,
);

/** What the model gets: the last compaction's messages and what came after it, or everything. */
export const LOAD_CONTEXT: Load<Message[]> = {
  *script(agentId, state) {
    const compaction = yield* readLastCompaction(agentId, state);
    if (!compaction) return yield* readMessages(agentId, state);
    return [...compaction.messages, ...(yield* readMessages(agentId, state, compaction.seq))];
  },
  query: new MomentQuery('load_context', [LAST_COMPACTION, MESSAGES_SINCE_COMPACTION]),
  decode(agentId, [compactions = [], messages = []]) {
    const [compaction] = compactions;
    const stored = decodeMessages(agentId, messages);
    return compaction ? [...decodeCompaction(agentId, compaction).messages, ...stored] : stored;
  },
};
