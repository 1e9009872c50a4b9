import type { CallState, KnownCalls } from '../model/call-book.ts';
import { type Chain, chainsOf, decodeChain, type HeldSegment, SEGMENT_COLUMNS } from './chain.ts';
import { number, numberOrNull, text } from './codec.ts';
import type { AgentKeys } from './keys.ts';
import type { Driver } from './port/driver.ts';
import { run, type Script } from './port/driver.ts';
import { statement } from './port/statement.ts';
import type { Row } from './port/values.ts';

/** The head row, as far as the planning of a commit depends on it. */
export interface HeadState {
  branch: number;
  version: number;
  revision: number;
  cursor: number;
  messageCount: number;
  callCount: number;
  unlinkedCalls: number;
  unansweredCalls: number;
  pendingApprovals: number;
  usageCount: number;
  status: number;
  lastAt: number;
  lastSfpIndex: number;
  bookmarkSeq: number | null;
  bookmarkAt: number | null;
  breakpoint: string | null;
  attempts: number;
  retryAt: number | null;
  /** JSON text. */
  failure: string | null;
  /** Pieces of streamed text may be stored, which end with their step. */
  hasDeltas: boolean;
}

export interface AgentState {
  readonly keys: AgentKeys;
  readonly head: HeadState;
  readonly chain: Chain;
  readonly known: RecentCalls;
}

/** `own`: a query for the head. */
function stateOf(own: string): string {
  const hasDeltas = 'EXISTS (SELECT 1 FROM {deltas} d WHERE d.tree = h.tree AND d.agent = h.agent)';
  return `WITH RECURSIVE own AS (SELECT h.*, CASE WHEN ${hasDeltas} THEN 1 ELSE 0 END AS has_deltas FROM (${own}) AS h),
     chain AS (${chainsOf({ from: 'own AS h' })})
   SELECT h.tree, h.agent, h.branch AS head_branch, h.version, h.revision, h.cursor, h.message_count, h.call_count, h.unlinked_calls,
     h.unanswered_calls, h.pending_approvals, h.usage_count, h.status, h.last_at, h.last_sfp_index, h.bookmark_seq, h.bookmark_at,
     h.breakpoint, h.attempts, h.retry_at, h.failure, h.has_deltas,
     ${SEGMENT_COLUMNS}
   FROM own h CROSS JOIN chain c ORDER BY c.depth`;
}

const LOAD_STATE = statement('load_state', stateOf('SELECT * FROM {heads} WHERE tree = $1 AND agent = $2'));
const FIND_STATE = statement(
  'find_state',
  stateOf(
    'SELECT h.* FROM {directory} d JOIN {heads} h ON h.tree = d.tree AND h.agent = d.agent WHERE d.agent_id = $1',
  ),
);

const LOAD_CHAIN = statement(
  'load_chain',
  `WITH RECURSIVE chain AS (${chainsOf({
    from: '(SELECT CAST($1 AS bigint) AS tree, CAST($2 AS bigint) AS branch, CAST($3 AS bigint) AS message_count, CAST($4 AS bigint) AS call_count) AS h',
  })})
   SELECT ${SEGMENT_COLUMNS} FROM chain c ORDER BY c.depth`,
);

export async function loadState(driver: Driver, keys: AgentKeys): Promise<AgentState | undefined> {
  return decodeState(await driver.read(LOAD_STATE, [keys.tree, keys.agent]));
}

/** The same of an agent whose keys aren't known yet. */
export async function findState(driver: Driver, agentId: string): Promise<AgentState | undefined> {
  return decodeState(await driver.read(FIND_STATE, [agentId]));
}

export function* readState(keys: AgentKeys): Script<AgentState | undefined> {
  return decodeState(yield* run(LOAD_STATE, [keys.tree, keys.agent]));
}

/** The chain that ends at a position of a branch, as a snapshot refers to it. */
export function* readChain(tree: number, branch: number, position: number, calls: number): Script<Chain> {
  return decodeChain(yield* run(LOAD_CHAIN, [tree, branch, position, calls]));
}

function decodeState(rows: Row[]): AgentState | undefined {
  const row = rows[0];
  if (!row) return undefined;
  const head: HeadState = {
    branch: number(row.head_branch),
    version: number(row.version),
    revision: number(row.revision),
    cursor: number(row.cursor),
    messageCount: number(row.message_count),
    callCount: number(row.call_count),
    unlinkedCalls: number(row.unlinked_calls),
    unansweredCalls: number(row.unanswered_calls),
    pendingApprovals: number(row.pending_approvals),
    usageCount: number(row.usage_count),
    status: number(row.status),
    lastAt: number(row.last_at),
    lastSfpIndex: number(row.last_sfp_index),
    bookmarkSeq: numberOrNull(row.bookmark_seq),
    bookmarkAt: numberOrNull(row.bookmark_at),
    breakpoint: text(row.breakpoint),
    attempts: number(row.attempts),
    retryAt: numberOrNull(row.retry_at),
    failure: text(row.failure),
    hasDeltas: number(row.has_deltas) === 1,
  };
  return {
    keys: { tree: number(row.tree), agent: number(row.agent) },
    head,
    chain: decodeChain(rows),
    known: new RecentCalls(),
  };
}

/** The version to remember in a branch that starts in a segment of this conversation. */
export function forkVersion({ head, chain }: Pick<AgentState, 'head' | 'chain'>, at: HeldSegment): number {
  return at === chain[0] ? head.version : at.versionHi;
}

/**
 * Whether others may see a row that is about to change, or be left with it: forks that begin after it, and whoever
 * needs a branch that the agent itself has left or taken over.
 */
export function isShared({ keys, chain }: AgentState, { messageSeq, inherited }: CallState): boolean {
  const [own, ...ancestors] = chain;
  if ((messageSeq ?? -1) < (own?.pinned ?? 0)) return true;
  return inherited && ancestors.some(({ agent, adopted }) => adopted || agent === keys.agent);
}

export const MAX_RECENT = 128;

/** The newest calls of an agent that this process has seen, by id, so that a step needs no look-up. */
export class RecentCalls implements KnownCalls {
  readonly #bySeq = new Map<number, CallState>();
  /** Newest first. Nearly every id is one call's. */
  readonly #byId = new Map<string, CallState[]>();

  withId(toolCallId: string): CallState[] {
    return this.#byId.get(toolCallId) ?? [];
  }

  withSeq(callSeq: number): CallState | undefined {
    return this.#bySeq.get(callSeq);
  }

  add(calls: Iterable<CallState>): void {
    for (const call of calls) this.#put(call);
  }

  /** Calls as they are stored now. What they were given and gave isn't needed to go on with them. */
  addStored(calls: readonly CallState[]): void {
    for (const call of calls) {
      const stored = { ...call };
      stored.input = null;
      stored.output = null;
      stored.error = null;
      this.#put(stored);
    }
  }

  /** Between commits: a commit in progress may need more than what is worth remembering. */
  trim(): void {
    for (const oldest of this.#bySeq.keys()) {
      if (this.#bySeq.size <= MAX_RECENT) break;
      this.#remove(oldest);
    }
  }

  #put(call: CallState): void {
    this.#remove(call.callSeq);
    this.#bySeq.set(call.callSeq, call);
    const others = this.#byId.get(call.toolCallId);
    const all = others ? [call, ...others].sort((a, b) => b.callSeq - a.callSeq) : [call];
    this.#byId.set(call.toolCallId, all);
  }

  #remove(callSeq: number): void {
    const call = this.#bySeq.get(callSeq);
    if (!call) return;
    this.#bySeq.delete(callSeq);
    const others = this.withId(call.toolCallId).filter((other) => other !== call);
    if (others.length > 0) this.#byId.set(call.toolCallId, others);
    else this.#byId.delete(call.toolCallId);
  }
}
