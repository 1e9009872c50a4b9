import { CallBook } from '../../../model/call-book.ts';
import { encodeMessages } from '../../../model/encode-message.ts';
import { forkPosition, unknownSnapshot } from '../../../model/fork-rules.ts';
import { forkedCall } from '../../../model/forked-call.ts';
import { type AgentState, forkVersion, readChain, readState } from '../../agent-state.ts';
import { type Chain, type HeldSegment, segmentAt } from '../../chain.ts';
import { kindBits, number } from '../../codec.ts';
import type { AgentKeys } from '../../keys.ts';
import { run, runBatch, type Script } from '../../port/driver.ts';
import { statement } from '../../port/statement.ts';
import type { Row, SqlValue } from '../../port/values.ts';
import { findSnapshot, snapshotMessages } from '../../read/snapshots.ts';
import { ROLE_CODES } from '../../schema/tables.ts';
import { newState } from '../create.ts';
import { callsBefore } from '../cut.ts';
import { lockBranches, lockHead } from '../free-branches.ts';
import {
  attachedChain,
  countSharedApprovals,
  countUnlinked,
  type ForkPoint,
  ownCalls,
} from './calls-at-fork.ts';
import { type ForkStart, type ForkTarget, forkOps } from './fork-rows.ts';

const TOUCH = statement(
  'touch_head',
  'UPDATE {heads} SET revision = revision + 1 WHERE tree = $1 AND agent = $2',
);
const PIN = statement(
  'pin',
  'UPDATE {branches} SET pinned = $3 WHERE tree = $1 AND branch = $2 AND pinned < $3',
);
const CLAIM_MESSAGES = statement(
  'claim_messages',
  'UPDATE {messages} SET owner = $4 WHERE tree = $1 AND branch = $2 AND seq < $3 AND owner IS NULL',
);
/**
 * A call of which a nearer branch has a copy isn't the fork's call there. CROSS JOIN: in
 * another order than this one, the calls of the whole tree would be gone through.
 */
const CLAIM_CALLS = statement(
  'claim_calls',
  `UPDATE {tool_calls} SET owner = $4 WHERE tree = $1 AND branch = $2 AND call_seq < $3 AND owner IS NULL
     AND call_seq NOT IN (
       WITH RECURSIVE nearer AS (
         SELECT tree, branch, parent FROM {branches} WHERE tree = $1 AND branch = $5
         UNION ALL
         SELECT p.tree, p.branch, p.parent FROM nearer n CROSS JOIN {branches} p
         WHERE p.tree = n.tree AND p.branch = n.parent AND p.branch <> $2)
       SELECT c.call_seq FROM nearer n CROSS JOIN {tool_calls} c
       WHERE c.tree = n.tree AND c.branch = n.branch AND c.call_seq < $3)`,
);

/**
 * Starts new agents at a position of another one's conversation. What is before it is shared: the fork is
 * a branch row that names its parent, and copies of the calls that are open right there.
 * Returns false if there is no such agent.
 */
export function* forkAgent(
  sourceId: string,
  keys: AgentKeys,
  at: string | number | undefined,
  targets: readonly ForkTarget[],
  now: number,
): Script<boolean> {
  const seen = yield* readState(keys);
  if (!seen) return false;
  const snapshot = typeof at === 'string' ? yield* findSnapshot(keys, at) : undefined;
  if (typeof at === 'string' && !snapshot) throw unknownSnapshot(sourceId, at);
  const copied = snapshot && snapshot.messages !== null ? snapshot : undefined;
  if (copied) {
    if (!(yield* lockHead(keys))) return false;
    yield* forkCopies(sourceId, seen, copied, targets, now);
    return true;
  }
  const chain = snapshot ? yield* readChain(keys.tree, number(snapshot.branch), 0, 0) : seen.chain;
  const branches = chain.map((segment) => segment.branch);
  yield* lockBranches(keys.tree, branches);
  // Who writes to the branch where the forks begin plans the next commit anew: it may share open calls with
  // them from now on. Of a part that the source has from another agent, that is the other one.
  const position = snapshot ? number(snapshot.position) : (at ?? seen.head.messageCount);
  const nearest = chain.slice(0, chain.indexOf(segmentAt(chain, Number(position))) + 1);
  const writers = new Set([keys.agent, ...nearest.map((segment) => segment.agent)]);
  for (const agent of [...writers].sort((a, b) => a - b)) yield* run(TOUCH, [keys.tree, agent]);
  // Under the locks nobody rewrites these branches; what was read before them may be outdated.
  const state = yield* readState(keys);
  if (!state) return false;
  const moved = !snapshot && state.chain.some((segment) => !branches.includes(segment.branch));
  if (moved) return yield* forkAgent(sourceId, keys, at, targets, now);
  const point = yield* findPoint(state, at, snapshot);
  yield* forkAtPoint(sourceId, state, point, targets, now);
  return true;
}

function* findPoint(
  state: AgentState,
  at: string | number | undefined,
  snapshot: Row | undefined,
): Script<ForkPoint> {
  const { keys, head } = state;
  if (snapshot) {
    const position = number(snapshot.position);
    const chain = yield* readChain(keys.tree, number(snapshot.branch), position, Number.MAX_SAFE_INTEGER);
    const callCount = yield* callsBefore({ ...state, chain }, position);
    const current = state.chain.some(({ branch, hi }) => branch === chain[0]?.branch && position <= hi);
    return yield* pointOn(state, bounded(chain, callCount), { position, callCount, current, whole: false });
  }
  const position = forkPosition(at === undefined ? undefined : Number(at), head.messageCount);
  const whole = position === head.messageCount;
  const callCount = whole ? head.callCount : yield* callsBefore(state, position);
  return yield* pointOn(state, bounded(state.chain, callCount), {
    position,
    callCount,
    current: true,
    whole,
  });
}

function* pointOn(
  state: AgentState,
  source: Chain,
  point: Omit<ForkPoint, 'source' | 'chain'>,
): Script<ForkPoint> {
  return { ...point, source, chain: yield* attachedChain(state, source, point.position) };
}

function bounded(chain: Chain, callCount: number): Chain {
  return chain.map((segment) => ({ ...segment, callHi: Math.min(segment.callHi, callCount) }));
}

function* forkAtPoint(
  sourceId: string,
  state: AgentState,
  point: ForkPoint,
  targets: readonly ForkTarget[],
  instant: number,
): Script<void> {
  const { tree } = state.keys;
  const now = Math.max(instant, state.head.lastAt);
  const [attached = segmentAt(point.chain, point.position)] = point.chain;
  yield* run(PIN, [tree, attached.branch, point.position]);
  const calls = yield* ownCalls(state, point, now);
  const start: ForkStart = {
    parent: { branch: attached.branch, version: forkVersion(state, sourceSegment(state, attached)) },
    messageCount: point.position,
    callCount: point.callCount,
    unlinkedCalls: yield* countUnlinked(state, point, calls),
    calls,
    sharedApprovals: yield* countSharedApprovals(state, point, calls),
    whole: point.whole,
  };
  yield* runBatch({ ops: forkOps(sourceId, state, start, targets, now) });
  for (const { agent, branch } of targets) {
    for (const segment of point.chain) {
      if (!segment.adopted) continue;
      yield* run(CLAIM_MESSAGES, [tree, segment.branch, Math.min(segment.hi, point.position), agent]);
      yield* run(CLAIM_CALLS, [tree, segment.branch, segment.callHi, agent, branch]);
    }
  }
}

/** Where the source itself has this branch, if it still does: a snapshot may be of one that it left. */
function sourceSegment(state: AgentState, attached: HeldSegment): HeldSegment {
  return state.chain.find((segment) => segment.branch === attached.branch) ?? attached;
}

/** From a snapshot with messages of its own nothing can be shared: they become the forks' own. */
function* forkCopies(
  sourceId: string,
  state: AgentState,
  snapshot: Row,
  targets: readonly ForkTarget[],
  instant: number,
): Script<void> {
  const { tree } = state.keys;
  const now = Math.max(instant, state.head.lastAt);
  const messages = encodeMessages(yield* snapshotMessages(tree, snapshot), 'snapshot.messages');
  const book = new CallBook(newState(state.keys, 0).known, { callCount: 0, unlinkedCalls: 0, at: now });
  const callCounts = messages.map((message, seq) => {
    book.addMessage(message, seq, now);
    return book.callCount;
  });
  const rows = targets.flatMap(({ agent, branch }) =>
    messages.map(({ role, kinds, payload }, seq): SqlValue[] => [
      tree,
      branch,
      seq,
      agent,
      ROLE_CODES[role],
      kindBits(kinds),
      callCounts[seq] ?? 0,
      now,
      payload,
    ]),
  );
  const start: ForkStart = {
    parent: null,
    messageCount: messages.length,
    callCount: book.callCount,
    unlinkedCalls: 0,
    calls: book.opened.map((call) => (call.resultSeq === null ? forkedCall(call, now) : call)),
    sharedApprovals: 0,
    whole: false,
  };
  const ops = forkOps(sourceId, state, start, targets, now);
  yield* runBatch({ ops: [...ops, { kind: 'insert', table: 'messages', rows }] });
}
