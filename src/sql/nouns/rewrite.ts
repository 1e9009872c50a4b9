import type { CallState } from '../../model/call-book.ts';
import { isTerminal } from '../../model/tool-call.ts';
import {
  type AgentState,
  forkVersion,
  readState,
  type Segment,
  segmentAt,
  segmentBefore,
} from '../agent-state.ts';
import { callRow, number, numberOrNull } from '../codec.ts';
import type { AgentKeys } from '../directory.ts';
import { run, type Script } from '../driver.ts';
import { statement } from '../statement.ts';
import { lockBranches, lockHead, settle } from './branches.ts';
import { readPlacedCalls } from './calls.ts';
import { insertRow } from './insert.ts';

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
  `SELECT * FROM {compactions} WHERE tree = $1 AND branch = $2 AND position > $3 AND position <= $4 AND upto <= $3
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
  for (const { branch, callLo, callHi } of chain.slice(chain.indexOf(attached))) {
    const [asked] = yield* run(LAST_ASKED, [tree, branch, Math.min(opened, callHi), position]);
    if (asked) count = Math.max(count, number(asked.call_seq) + 1);
    // What lies on farther branches was opened before.
    if (count >= callLo) break;
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
  const callCount = calls.find((call) => (call.messageSeq ?? -1) >= keep)?.callSeq ?? state.head.callCount;
  const kept = calls.filter((call) => call.callSeq < callCount);
  const place = keep >= own.lo && keep >= own.pinned ? own : undefined;
  const branch = place
    ? yield* cutInPlace(state, own, keep, callCount)
    : yield* cutOntoNewBranch(state, keep, callCount, kept, placed, newBranch);
  yield* run(MOVE_HEAD, [
    keys.tree,
    keys.agent,
    branch,
    keep,
    callCount,
    kept.filter((call) => call.messageSeq === null).length,
    kept.filter((call) => call.messageSeq !== null && (call.resultSeq === null || call.resultSeq >= keep))
      .length,
    kept.filter((call) => call.state === 'approval_required').length,
  ]);
  if (!place) for (const segment of state.chain) yield* settle(keys.tree, segment.branch, keys.agent);
  return true;
}

function* cutInPlace({ keys }: AgentState, own: Segment, keep: number, callCount: number): Script<number> {
  yield* run(DELETE_MESSAGES, [keys.tree, own.branch, keep]);
  yield* run(DELETE_CALLS, [keys.tree, own.branch, callCount]);
  yield* run(UNANSWER, [keys.tree, own.branch, keep]);
  yield* run(CUT_COMPACTIONS, [keys.tree, own.branch, keep]);
  yield* run(PULL_COMPACTIONS, [keys.tree, own.branch, keep]);
  yield* run(BUMP_EPOCH, [keys.tree, own.branch]);
  return own.branch;
}

/**
 * What the agent still changes of its earlier calls goes with it (open ones, and those whose result is cut
 * off), and so do its own copies on branches that the new one doesn't pass through.
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
  const parent = segmentBefore(state.chain, keep);
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
    const cutOff = call.resultSeq !== null && call.resultSeq >= keep;
    const passed = chain.some((segment) => segment.branch === placed.get(call));
    if (isTerminal(call.state) && !cutOff && passed) continue;
    if (cutOff) call.resultSeq = null;
    yield* insertRow('tool_calls', callRow(call, { tree: keys.tree, branch, owner: keys.agent }));
  }
  // Compactions that were made later, of messages that stay, go on counting.
  for (const segment of state.chain) {
    const rows = yield* run(COMPACTIONS_BEYOND, [
      keys.tree,
      segment.branch,
      keep,
      segment.hi,
      segment.versionHi,
    ]);
    for (const row of rows) yield* insertRow('compactions', { ...row, branch, position: keep });
  }
  return branch;
}
