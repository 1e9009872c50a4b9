import { ValidationError } from '../../errors.ts';
import { CallBook } from '../../model/call-book.ts';
import { encodeMessages } from '../../model/encode-message.ts';
import { forkedCall } from '../../model/forked-call.ts';
import {
  type AgentState,
  type Chain,
  forkVersion,
  readChain,
  readState,
  type Segment,
  segmentAt,
} from '../agent-state.ts';
import { callRow, kindBits, number, parseJson } from '../codec.ts';
import { headRow, newState } from '../commit/create.ts';
import { metadataOps } from '../commit/info-ops.ts';
import type { AgentKeys } from '../directory.ts';
import { type Row, run, runBatch, type Script } from '../driver.ts';
import { ROLE_CODES, STATUS_CODES } from '../schema/tables.ts';
import { statement } from '../statement.ts';
import { lockBranches } from './branches.ts';
import { countUnlinked, type ForkPoint, ownCalls } from './fork-calls.ts';
import { insertRow } from './insert.ts';
import { callsBefore } from './rewrite.ts';
import { findSnapshot, snapshotMessages } from './snapshots.ts';

/** What the forks get: their public ids and keys, reserved beforehand. */
export interface ForkTarget {
  agentId: string;
  agent: number;
  branch: number;
}

const READ_AGENT = statement('read_agent_row', 'SELECT * FROM {agents} WHERE tree = $1 AND agent = $2');
const READ_TODOS = statement('read_todo_row', 'SELECT * FROM {todos} WHERE tree = $1 AND agent = $2');
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
/** A call of which a nearer branch has a copy isn't the fork's call there. */
const CLAIM_CALLS = statement(
  'claim_calls',
  `UPDATE {tool_calls} SET owner = $4 WHERE tree = $1 AND branch = $2 AND call_seq < $3 AND owner IS NULL
     AND call_seq NOT IN (
       WITH RECURSIVE nearer AS (
         SELECT branch, parent FROM {branches} WHERE tree = $1 AND branch = $5
         UNION ALL
         SELECT p.branch, p.parent FROM nearer n JOIN {branches} p ON p.tree = $1 AND p.branch = n.parent
         WHERE p.branch <> $2)
       SELECT c.call_seq FROM nearer n JOIN {tool_calls} c
         ON c.tree = $1 AND c.branch = n.branch AND c.call_seq < $3)`,
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
): Script<boolean> {
  const seen = yield* readState(keys);
  if (!seen) return false;
  const snapshot = typeof at === 'string' ? yield* findSnapshot(keys, at) : undefined;
  if (typeof at === 'string' && !snapshot) {
    throw new ValidationError('at', `agent "${sourceId}" has no snapshot "${at}"`);
  }
  const copied = snapshot && snapshot.messages !== null ? snapshot : undefined;
  if (copied) {
    for (const target of targets) yield* forkCopy(sourceId, seen, copied, target);
    return true;
  }
  const branches = snapshot
    ? (yield* readChain(keys.tree, number(snapshot.branch), 0, 0)).map((segment) => segment.branch)
    : seen.chain.map((segment) => segment.branch);
  yield* lockBranches(keys.tree, branches);
  // Under the locks nobody rewrites these branches; what was read before them may be outdated.
  const state = yield* readState(keys);
  if (!state) return false;
  const moved = !snapshot && state.chain.some((segment) => !branches.includes(segment.branch));
  if (moved) return yield* forkAgent(sourceId, keys, at, targets);
  // The source plans its next commit anew: it may share open calls with the forks from now on.
  yield* run(TOUCH, [keys.tree, keys.agent]);
  const point = yield* findPoint(state, at, snapshot);
  for (const target of targets) yield* forkAtPoint(sourceId, state, point, target);
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
    return { chain: bounded(chain, callCount), position, callCount, whole: false };
  }
  const position = at === undefined ? head.messageCount : Number(at);
  if (position > head.messageCount) {
    throw new ValidationError('at', `is ${position}, and the conversation has ${head.messageCount} messages`);
  }
  const whole = position === head.messageCount;
  const callCount = whole ? head.callCount : yield* callsBefore(state, position);
  return { chain: bounded(state.chain, callCount), position, callCount, whole };
}

function bounded(chain: Chain, callCount: number): Chain {
  return chain.map((segment) => ({ ...segment, callHi: Math.min(segment.callHi, callCount) }));
}

function* forkAtPoint(
  sourceId: string,
  state: AgentState,
  point: ForkPoint,
  target: ForkTarget,
): Script<void> {
  const { tree } = state.keys;
  const now = Math.max(Date.now(), state.head.lastAt);
  const attached = segmentAt(point.chain, point.position);
  yield* run(PIN, [tree, attached.branch, point.position]);
  yield* insertRow('branches', {
    tree,
    branch: target.branch,
    agent: target.agent,
    parent: attached.branch,
    fork_seq: point.position,
    fork_call_seq: point.callCount,
    fork_version: forkVersion(state, sourceSegment(state, attached)),
    pinned: 0,
    epoch: 0,
    adopted: 0,
  });
  const calls = yield* ownCalls(state, point, now);
  for (const call of calls) {
    yield* insertRow('tool_calls', callRow(call, { tree, branch: target.branch, owner: target.agent }));
  }
  for (const segment of point.chain) {
    if (!segment.adopted) continue;
    yield* run(CLAIM_MESSAGES, [tree, segment.branch, Math.min(segment.hi, point.position), target.agent]);
    yield* run(CLAIM_CALLS, [tree, segment.branch, segment.callHi, target.agent, target.branch]);
  }
  const pending = calls.filter((call) => call.state === 'approval_required').length;
  yield* insertAgent(sourceId, state, target, now, {
    messageCount: point.position,
    callCount: point.callCount,
    unlinkedCalls: yield* countUnlinked(state, point),
    pendingApprovals: pending,
  });
  if (point.whole) yield* copyTodos(state, target);
}

/** Where the source itself has this branch, if it still does: a snapshot may be of one that it left. */
function sourceSegment(state: AgentState, attached: Segment): Segment {
  return state.chain.find((segment) => segment.branch === attached.branch) ?? attached;
}

function* insertAgent(
  sourceId: string,
  state: AgentState,
  target: ForkTarget,
  now: number,
  counts: { messageCount: number; callCount: number; unlinkedCalls: number; pendingApprovals: number },
): Script<void> {
  const { tree } = state.keys;
  const keys = { tree, agent: target.agent };
  const [source] = yield* run(READ_AGENT, [tree, state.keys.agent]);
  const lineage = parseJson(source?.lineage ?? '[]', `lineage of agent "${sourceId}"`) as string[];
  const fresh = newState(keys, target.branch);
  const head = {
    ...fresh.head,
    ...counts,
    version: 1,
    status: counts.pendingApprovals > 0 ? STATUS_CODES.awaiting_approval : STATUS_CODES.idle,
    lastSfpIndex: Math.min(state.head.lastSfpIndex, counts.messageCount - 1),
  };
  yield* insertRow('directory', [target.agentId, tree, target.agent]);
  yield* insertRow('heads', headRow({ ...fresh, head }, now));
  yield* insertRow('agents', {
    ...source,
    agent: target.agent,
    agent_id: target.agentId,
    created_at: now,
    lineage: JSON.stringify([...lineage, sourceId]),
    parent_agent_id: null,
    parent_tool_call_id: null,
  });
  yield* runBatch({ ops: metadataOps(keys, String(source?.metadata ?? '{}')) });
}

function* copyTodos(state: AgentState, target: ForkTarget): Script<void> {
  const [row] = yield* run(READ_TODOS, [state.keys.tree, state.keys.agent]);
  if (row) yield* insertRow('todos', { ...row, agent: target.agent });
}

/** From a snapshot with messages of its own nothing can be shared: they become the fork's own. */
function* forkCopy(sourceId: string, state: AgentState, snapshot: Row, target: ForkTarget): Script<void> {
  const { tree } = state.keys;
  const now = Math.max(Date.now(), state.head.lastAt);
  const messages = encodeMessages(yield* snapshotMessages(tree, snapshot), 'snapshot.messages');
  const book = new CallBook(newState(state.keys, 0).known, { callCount: 0, unlinkedCalls: 0, at: now });
  yield* insertRow('branches', {
    tree,
    branch: target.branch,
    agent: target.agent,
    parent: null,
    fork_seq: 0,
    fork_call_seq: 0,
    fork_version: null,
    pinned: 0,
    epoch: 0,
    adopted: 0,
  });
  for (const [seq, message] of messages.entries()) {
    book.addMessage(message, seq, now);
    yield* insertRow('messages', [
      tree,
      target.branch,
      seq,
      target.agent,
      ROLE_CODES[message.role],
      kindBits(message.kinds),
      book.callCount,
      now,
      message.payload,
    ]);
  }
  for (const call of book.opened) {
    yield* insertRow(
      'tool_calls',
      callRow(forkedCall(call, now), { tree, branch: target.branch, owner: target.agent }),
    );
  }
  yield* insertAgent(sourceId, state, target, now, {
    messageCount: messages.length,
    callCount: book.callCount,
    unlinkedCalls: 0,
    pendingApprovals: 0,
  });
}
