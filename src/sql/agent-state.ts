import type { CallState, KnownCalls } from '../model/call-book.ts';
import { number, numberOrNull, text } from './codec.ts';
import type { Driver } from './driver.ts';
import { run, type Script } from './driver.ts';
import type { AgentKeys } from './keys.ts';
import { statement } from './statement.ts';
import type { Row } from './values.ts';

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

/** A piece of a conversation: the messages [lo, hi) and the calls [callLo, callHi) of one branch. */
export interface Segment {
  branch: number;
  /** The agent that started the branch. */
  agent: number;
  parent: number | null;
  lo: number;
  hi: number;
  callLo: number;
  callHi: number;
  /** Compactions of the branch count up to this version of its starter. */
  versionHi: number;
  /** The same for the parent. */
  forkVersion: number | null;
  pinned: number;
  epoch: number;
  adopted: boolean;
}

/** A conversation's branches, the agent's own first, then its ancestors. */
export type Chain = Segment[];

export interface AgentState {
  readonly keys: AgentKeys;
  readonly head: HeadState;
  readonly chain: Chain;
  readonly known: RecentCalls;
}

const CHAIN_COLUMNS = 'branch, agent, parent, fork_seq, fork_call_seq, fork_version, pinned, epoch, adopted';

/** `own`: a query for the head. */
function stateOf(own: string): string {
  return `WITH RECURSIVE own AS (${own}), chain AS (
     SELECT 0 AS depth, b.tree, b.branch, b.agent AS starter, b.parent, b.fork_seq, b.fork_call_seq, b.fork_version, b.pinned, b.epoch, b.adopted
     FROM own h JOIN {branches} b ON b.tree = h.tree AND b.branch = h.branch
     UNION ALL
     SELECT c.depth + 1, p.tree, p.branch, p.agent, p.parent, p.fork_seq, p.fork_call_seq, p.fork_version, p.pinned, p.epoch, p.adopted
     FROM chain c JOIN {branches} p ON p.tree = c.tree AND p.branch = c.parent)
   SELECT h.tree, h.agent, h.branch AS head_branch, h.version, h.revision, h.cursor, h.message_count, h.call_count, h.unlinked_calls,
     h.unanswered_calls, h.pending_approvals, h.usage_count, h.status, h.last_at, h.last_sfp_index, h.bookmark_seq, h.bookmark_at,
     h.breakpoint, h.attempts, h.retry_at, h.failure, CASE WHEN EXISTS (SELECT 1 FROM {deltas} d WHERE d.tree = h.tree AND d.agent = h.agent) THEN 1 ELSE 0 END AS has_deltas,
     c.branch, c.starter, c.parent, c.fork_seq, c.fork_call_seq, c.fork_version, c.pinned, c.epoch, c.adopted
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
  `WITH RECURSIVE chain AS (
     SELECT 0 AS depth, tree, ${CHAIN_COLUMNS.replace('agent', 'agent AS starter')}
     FROM {branches} WHERE tree = $1 AND branch = $2
     UNION ALL
     SELECT c.depth + 1, p.tree, p.branch, p.agent, p.parent, p.fork_seq, p.fork_call_seq, p.fork_version, p.pinned, p.epoch, p.adopted
     FROM chain c JOIN {branches} p ON p.tree = c.tree AND p.branch = c.parent)
   SELECT * FROM chain ORDER BY depth`,
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
  return decodeChain(yield* run(LOAD_CHAIN, [tree, branch]), position, calls);
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
    chain: decodeChain(rows, head.messageCount, head.callCount),
    known: new RecentCalls(),
  };
}

/** A parent's share ends where its child begins, which may share calls alone with it and begin before it. */
function decodeChain(rows: Row[], messageCount: number, callCount: number): Chain {
  let hi = messageCount;
  let callHi = callCount;
  let versionHi = Number.MAX_SAFE_INTEGER;
  return rows.map((row) => {
    const segment: Segment = {
      branch: number(row.branch),
      agent: number(row.starter),
      parent: numberOrNull(row.parent),
      lo: number(row.fork_seq),
      hi,
      callLo: number(row.fork_call_seq),
      callHi,
      versionHi,
      forkVersion: numberOrNull(row.fork_version),
      pinned: number(row.pinned),
      epoch: number(row.epoch),
      adopted: number(row.adopted) === 1,
    };
    hi = Math.min(hi, segment.lo);
    callHi = Math.min(callHi, segment.callLo);
    versionHi = segment.forkVersion ?? Number.MAX_SAFE_INTEGER;
    return segment;
  });
}

/**
 * Where a fork or a snapshot at a position attaches: to the nearest branch that has begun there. It may not
 * have a message yet; what was compacted there counts all the same.
 */
export function segmentAt(chain: Chain, position: number): Segment {
  const segment = chain.find((candidate) => candidate.lo <= position);
  if (!segment) throw new RangeError('a conversation has at least one branch');
  return segment;
}

/**
 * Where an agent's own new branch begins: after the branch with the last message before it. Another one without
 * messages would only be passed through, and each rewrite from there would make the way longer.
 */
export function segmentBefore(chain: Chain, position: number): Segment {
  return chain.find((candidate) => candidate.lo < position) ?? segmentAt(chain.slice(-1), position);
}

/** The version to remember in a branch that starts in a segment of this conversation. */
export function forkVersion({ head, chain }: Pick<AgentState, 'head' | 'chain'>, at: Segment): number {
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
