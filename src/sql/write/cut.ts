import type { CallState } from '../../model/call-book.ts';
import { isTerminal } from '../../model/tool-call.ts';
import { type AgentState, forkVersion, readState } from '../agent-state.ts';
import { type Chain, type HeldSegment, segmentAt, segmentBefore } from '../chain.ts';
import { callRow, number, numberOrNull } from '../codec.ts';
import type { AgentKeys } from '../keys.ts';
import { run, type Script } from '../port/driver.ts';
import { statement } from '../port/statement.ts';
import type { Row } from '../port/values.ts';
import { isShadowed, readPlacedCalls } from '../read/calls.ts';
import { needOf } from './branch-need.ts';
import { lockBranches, lockHead, releaseChain } from './free-branches.ts';
import { insertRow } from './insert-row.ts';

const DELETE_MESSAGES = statement(
  'cut_messages',
  'DELETE FROM {messages} WHERE tree = $1 AND branch = $2 AND seq >= $3',
);
const DELETE_CALLS = statement(
  'cut_calls',
  'DELETE FROM {tool_calls} WHERE tree = $1 AND branch = $2 AND call_seq >= $3',
);
const UNANSWER = statement(
  'unanswer_calls',
  'UPDATE {tool_calls} SET result_seq = NULL WHERE tree = $1 AND branch = $2 AND result_seq >= $3',
);
const UNLINK = statement(
  'unlink_calls',
  'UPDATE {tool_calls} SET message_seq = NULL, late = 0 WHERE tree = $1 AND branch = $2 AND message_seq >= $3',
);
const BUMP_EPOCH = statement(
  'bump_epoch',
  'UPDATE {branches} SET epoch = epoch + 1 WHERE tree = $1 AND branch = $2',
);
const CUT_COMPACTIONS = statement(
  'cut_compactions',
  'DELETE FROM {compactions} WHERE tree = $1 AND branch = $2 AND upto > $3',
);
const COMPACTIONS_BEYOND = statement(
  'compactions_beyond',
  `SELECT * FROM {compactions} WHERE tree = $1 AND branch = $2 AND position > $3 AND position <= $4 AND upto <= $6
     AND version <= $5`,
);
const PULL_COMPACTIONS = statement(
  'pull_compactions',
  'UPDATE {compactions} SET position = $3 WHERE tree = $1 AND branch = $2 AND position > $3',
);
const MESSAGE_CALLS = statement(
  'calls_before_message',
  'SELECT call_count FROM {messages} WHERE tree = $1 AND branch = $2 AND seq = $3',
);
const LAST_ASKED = statement(
  'last_call_asked_for',
  `SELECT call_seq FROM {tool_calls} WHERE tree = $1 AND branch = $2 AND call_seq < $3 AND message_seq < $4
   ORDER BY call_seq DESC LIMIT 1`,
);
const MOVE_HEAD = statement(
  'move_head',
  `UPDATE {heads} SET branch = $3, message_count = $4, call_count = $5, unlinked_calls = $6, unanswered_calls = $7,
     pending_approvals = $8, revision = revision + 1 WHERE tree = $1 AND agent = $2`,
);

/**
 * Number of calls up to the last one that one of the first `position` messages asked for: right before the
 * calls of the next message, but for some that no message asked for.
 */
export function* callsBefore({ keys: { tree }, chain }: AgentState, position: number): Script<number> {
  if (position === 0) return 0;
  const attached = segmentAt(chain, position);
  const [next] = yield* run(MESSAGE_CALLS, [tree, attached.branch, position]);
  const opened = numberOrNull(next?.call_count) ?? Number.MAX_SAFE_INTEGER;
  let count = 0;
  const passed = chain.slice(chain.indexOf(attached));
  for (const [depth, segment] of passed.entries()) {
    const end = Math.min(opened, segment.callHi);
    count = yield* lastAsked(tree, passed.slice(0, depth + 1), { count, end, position });
    // What lies on farther branches was opened before.
    if (count >= segment.callLo) break;
  }
  return count;
}

/** The same on the last of these branches alone, but for the calls that nearer ones have their own rows of. */
function* lastAsked(
  tree: number,
  branches: Chain,
  { count, end, position }: { count: number; end: number; position: number },
): Script<number> {
  const segment = branches.at(-1);
  if (!segment) return count;
  const upto = Math.min(position, segment.hi);
  for (let below = end; below > count; ) {
    const [asked] = yield* run(LAST_ASKED, [tree, segment.branch, below, upto]);
    if (!asked) return count;
    below = number(asked.call_seq);
    if (below >= count && !(yield* isShadowed(tree, branches.slice(0, -1), below))) return below + 1;
  }
  return count;
}

/**
 * Cuts a conversation back to its first `keep` messages: in place where nobody else needs what follows,
 * on a new branch where a fork or a snapshot does. The commit that puts the new tail there comes after it
 * in the same transaction. Returns false if the agent changed since `expected` was read.
 */
export function* cutConversation(
  keys: AgentKeys,
  expected: { revision: number },
  keep: number,
  newBranch: number,
): Script<boolean> {
  const seen = yield* readState(keys);
  if (!seen) return false;
  // Branches before heads, by their keys: everybody who locks several takes them in this order.
  yield* lockBranches(
    keys.tree,
    seen.chain.map((segment) => segment.branch),
  );
  if (!(yield* lockHead(keys))) return false;
  const state = yield* readState(keys);
  if (!state || state.head.revision !== expected.revision) return false;
  const own = state.chain[0];
  if (!own) return false;

  const placed = yield* readPlacedCalls(state);
  const calls = [...placed.keys()];
  const callCount = callsLeft(calls, keep) ?? state.head.callCount;
  const kept = calls.filter((call) => call.callSeq < callCount);
  const place = (yield* canCutInPlace(state, own, keep)) ? own : undefined;
  const branch = place
    ? yield* cutInPlace(state, own, keep, callCount)
    : yield* cutOntoNewBranch(state, keep, callCount, kept, placed, newBranch);
  yield* run(MOVE_HEAD, [
    keys.tree,
    keys.agent,
    branch,
    keep,
    callCount,
    kept.filter((call) => !isAsked(call, keep)).length,
    kept.filter((call) => isAsked(call, keep) && !isAnswered(call, keep)).length,
    kept.filter((call) => call.state === 'approval_required').length,
  ]);
  if (!place) yield* releaseChain(keys.tree, state.chain, keys.agent);
  return true;
}

/** Who began right there would get the compactions that are moved along. */
function* canCutInPlace({ keys }: AgentState, own: HeldSegment, keep: number): Script<boolean> {
  if (keep < own.lo || keep < own.pinned) return false;
  return keep > own.pinned || (yield* compactionsBeyond(keys.tree, own, keep, keep)).length === 0;
}

/** Compactions of the first `keep` messages that were made after so many. */
function* compactionsBeyond(
  tree: number,
  { branch, hi, versionHi }: HeldSegment,
  keep: number,
  after: number,
): Script<Row[]> {
  return yield* run(COMPACTIONS_BEYOND, [tree, branch, after, hi, versionHi, keep]);
}

/**
 * Where calls go with the messages that are cut off: after the last call that is still asked for, at the first
 * one that no longer is. What no message asks for before that stays, so that ordinals have no gaps.
 */
function callsLeft(calls: readonly CallState[], keep: number): number | undefined {
  const asked = calls.findLast((call) => isAsked(call, keep))?.callSeq ?? -1;
  return calls.find((call) => call.callSeq > asked && (call.messageSeq ?? -1) >= keep)?.callSeq;
}

function isAsked({ messageSeq }: CallState, end: number): boolean {
  return messageSeq !== null && messageSeq < end;
}

function isAnswered({ resultSeq }: CallState, end: number): boolean {
  return resultSeq !== null && resultSeq < end;
}

function* cutInPlace(
  { keys }: AgentState,
  own: HeldSegment,
  keep: number,
  callCount: number,
): Script<number> {
  yield* run(DELETE_MESSAGES, [keys.tree, own.branch, keep]);
  yield* run(DELETE_CALLS, [keys.tree, own.branch, callCount]);
  yield* run(UNANSWER, [keys.tree, own.branch, keep]);
  yield* run(UNLINK, [keys.tree, own.branch, keep]);
  yield* run(CUT_COMPACTIONS, [keys.tree, own.branch, keep]);
  yield* run(PULL_COMPACTIONS, [keys.tree, own.branch, keep]);
  yield* run(BUMP_EPOCH, [keys.tree, own.branch]);
  return own.branch;
}

/**
 * What the agent still changes of its earlier calls goes with it: open ones, and those that lose their result
 * or the message that asked. So do its own copies on branches that the new one doesn't pass through.
 */
function* cutOntoNewBranch(
  state: AgentState,
  keep: number,
  callCount: number,
  kept: CallState[],
  placed: ReadonlyMap<CallState, number>,
  branch: number,
): Script<number> {
  const { keys } = state;
  const parent = yield* parentBefore(state, keep, kept, placed);
  const chain = state.chain.slice(state.chain.indexOf(parent));
  yield* insertRow('branches', {
    tree: keys.tree,
    branch,
    agent: keys.agent,
    parent: parent.branch,
    fork_seq: keep,
    fork_call_seq: callCount,
    fork_version: forkVersion(state, parent),
    pinned: 0,
    epoch: 0,
    adopted: 0,
  });
  for (const call of kept) {
    const passed = chain.some((segment) => segment.branch === placed.get(call));
    if (staysAsItIs(call, keep) && passed) continue;
    const left = {
      ...call,
      ...(isAnswered(call, keep) ? {} : { resultSeq: null }),
      ...(isAsked(call, keep) ? {} : { messageSeq: null, late: false }),
    };
    yield* insertRow('tool_calls', callRow(left, { tree: keys.tree, branch, owner: keys.agent }));
  }
  // Compactions that were made later, of messages that stay, go on counting.
  for (const segment of state.chain) {
    // Of a branch that is passed by, also what was made right where the new one begins.
    const after = chain.includes(segment) ? keep : keep - 1;
    const rows = yield* compactionsBeyond(keys.tree, segment, keep, after);
    for (const row of rows) yield* insertRow('compactions', { ...row, branch, position: keep });
  }
  return branch;
}

/**
 * The branch before the new one: that of the last message that stays, or a nearer one with calls that stay and
 * that others need, too. The new branch shares those, so that each is stored once.
 */
function* parentBefore(
  { keys, chain }: AgentState,
  keep: number,
  kept: readonly CallState[],
  placed: ReadonlyMap<CallState, number>,
): Script<HeldSegment> {
  const before = segmentBefore(chain, keep);
  const staying = new Set(kept.filter((call) => staysAsItIs(call, keep)).map((call) => placed.get(call)));
  for (const segment of chain.slice(0, chain.indexOf(before))) {
    if (!staying.has(segment.branch)) continue;
    if (yield* needOf(keys.tree, segment.branch)) return segment;
  }
  return before;
}

function staysAsItIs(call: CallState, keep: number): boolean {
  const linked = call.messageSeq === null || isAsked(call, keep);
  return isTerminal(call.state) && linked && (call.resultSeq === null || isAnswered(call, keep));
}
