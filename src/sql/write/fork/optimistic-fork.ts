import { type AgentState, forkVersion, type HeadState } from '../../agent-state.ts';
import { chainFrom } from '../../chain.ts';
import { number, numberOrNull } from '../../codec.ts';
import type { SqlContext } from '../../context.ts';
import type { Batch } from '../../port/batch.ts';
import type { Dialect } from '../../port/dialect.ts';
import type { Driver } from '../../port/driver.ts';
import { statement } from '../../port/statement.ts';
import type { Row } from '../../port/values.ts';
import { INDEXES, type IndexName } from '../../schema/indexes.ts';
import type { Committer } from '../committer.ts';
import { type ForkStart, type ForkTarget, forkOps, forkState } from './fork-rows.ts';

/** How often a fork is planned anew before it takes the locks that let it win. */
const MAX_TRIES = 3;
/** More than any conversation has. */
const MAX_CALLS = 1_000_000_000;
/** More states than this aren't worth remembering in place of others. */
const MAX_REMEMBERED = 256;

/**
 * What a position ($1 and $2: tree and branch, $3: calls before the branch) means for a fork: the number of
 * calls up to the last one asked for before it (null where an inherited one decides), and the last result of
 * those that may have theirs, or the message that asked, beyond it. These are the calls of the message right
 * before it, and those that weren't answered right away or were asked for late.
 *
 * Subqueries are sorted and limited so that a planner goes by the index even where it takes the calls of one
 * conversation for most of the table.
 */
function pointText({ useIndex }: Dialect, start: string): string {
  const own = 'FROM {tool_calls} WHERE tree = $1 AND branch = $2';
  const callCount = (position: string) =>
    `coalesce((SELECT call_seq + 1 ${own} AND call_seq >= $3 AND message_seq < ${position} AND call_seq < coalesce(
         (SELECT m.call_count FROM {messages} m WHERE m.tree = $1 AND m.branch = $2 AND m.seq = ${position}), ${MAX_CALLS})
       ORDER BY call_seq DESC LIMIT 1),
       CASE WHEN EXISTS (SELECT 1 ${own} AND call_seq = $3 - 1 AND coalesce(message_seq >= ${position}, true))
         THEN NULL ELSE $3 END)`;
  const results = (index: IndexName | undefined, condition: string) => {
    const by = index ? useIndex(index) : '';
    return `(SELECT max(CASE WHEN c.message_seq > coalesce(c.result_seq, -1) THEN c.message_seq ELSE c.result_seq END) FROM (
       SELECT message_seq, result_seq FROM {tool_calls} ${by} WHERE tree = $1 AND branch = $2 AND call_seq < point.calls AND ${condition}
       ORDER BY call_seq LIMIT ${MAX_CALLS}) AS c)`;
  };
  return `WITH start AS MATERIALIZED (${start}), point AS MATERIALIZED (
     SELECT position, ${callCount('position')} AS calls, coalesce(${callCount('(position - 1)')}, 0) AS calls_before
     FROM start)
   SELECT position, calls, ${results(undefined, 'call_seq >= point.calls_before')} AS last_result,
     ${results('branch_calls_unsettled', INDEXES.branch_calls_unsettled.where)} AS late_result
   FROM point`;
}

const NUMBER = 'SELECT CAST($4 AS bigint) AS position';
/** Of a reference to the branch that the agent is on; there is no row for any other snapshot. */
const SNAPSHOT = `SELECT position FROM {snapshots}
  WHERE tree = $1 AND agent = $4 AND snapshot_id = $5 AND branch = $2 AND messages IS NULL`;

const POINT = statement('fork_point', (dialect) => pointText(dialect, NUMBER));
const SNAPSHOT_POINT = statement('fork_point_of_snapshot', (dialect) => pointText(dialect, SNAPSHOT));

/**
 * Forks in one batch that is planned on the source's remembered state and guarded by its revision: for the
 * common case that the forks begin on the branch that the source writes to and copy no calls. Returns
 * their tree; undefined, with nothing written, if it is another case: `forkAgent` reads and decides under locks.
 */
export async function forkQuickly(
  { context, committer }: { context: SqlContext; committer: Committer },
  sourceId: string,
  at: string | number | undefined,
  targets: readonly ForkTarget[],
): Promise<number | undefined> {
  for (let tries = 0; tries < MAX_TRIES; tries += 1) {
    let source = await committer.stateOf(sourceId);
    if (source && typeof at === 'number' && at > source.head.messageCount) {
      // Another process may have written what isn't remembered.
      committer.forget(sourceId);
      source = await committer.stateOf(sourceId);
    }
    const start = source && (await findStart(context.driver, source, at));
    if (!source || !start) return undefined;
    const now = Math.max(context.driver.time.now(), source.head.lastAt);
    const outcome = await context.driver.batch(planFork(sourceId, source, start, targets, now));
    if (outcome.applied) {
      committer.remember(sourceId, afterFork(source, start.messageCount));
      for (const target of targets.slice(0, MAX_REMEMBERED)) {
        committer.remember(
          target.agentId,
          withAncestors(source, start, forkState(source, start, target, now)),
        );
      }
      return source.keys.tree;
    }
    committer.forget(sourceId);
    if (outcome.pinHeld && !outcome.head) context.directory.forget(sourceId);
  }
  return undefined;
}

/** Undefined where it takes more than the remembered state to say what forks begin with. */
async function findStart(
  driver: Driver,
  { keys, head, chain }: AgentState,
  at: string | number | undefined,
): Promise<ForkStart | undefined> {
  const [own] = chain;
  if (!own || copiesCalls(head)) return undefined;
  const { tree, agent } = keys;
  const start = {
    parent: { branch: own.branch, version: forkVersion({ head, chain }, own) },
    unlinkedCalls: 0,
    calls: [],
    sharedApprovals: 0,
  };
  if (at === undefined || at === head.messageCount) {
    return { ...start, messageCount: head.messageCount, callCount: head.callCount, whole: true };
  }
  let row: Row | undefined;
  if (typeof at === 'string') {
    [row] = await driver.read(SNAPSHOT_POINT, [tree, own.branch, own.callLo, agent, at]);
  } else if (at > own.lo && at < head.messageCount) {
    [row] = await driver.read(POINT, [tree, own.branch, own.callLo, at]);
  }
  const callCount = numberOrNull(row?.calls);
  if (!row || callCount === null) return undefined;
  const position = number(row.position);
  const cuts = [row.last_result, row.late_result].some((result) => (numberOrNull(result) ?? -1) >= position);
  return cuts ? undefined : { ...start, messageCount: position, callCount, whole: false };
}

/** What is so of the whole conversation is so of its parts, but for calls that are answered later. */
function copiesCalls({ unansweredCalls, unlinkedCalls, pendingApprovals }: HeadState): boolean {
  return unansweredCalls + unlinkedCalls + pendingApprovals > 0;
}

/**
 * The revision says that the source is as it was when the batch was planned, its rows in other tables
 * included: what changes them raises it. The pin says that the branch's rows are still there.
 */
function planFork(
  sourceId: string,
  source: AgentState,
  start: ForkStart,
  targets: readonly ForkTarget[],
  now: number,
): Batch {
  const { keys, head, chain } = source;
  return {
    pin: {
      tree: keys.tree,
      branch: head.branch,
      epoch: chain[0]?.epoch ?? 0,
      position: start.messageCount,
    },
    guard: {
      ...keys,
      revision: head.revision,
      expectedVersion: null,
      lease: null,
      needsLease: false,
      events: 0,
      at: head.lastAt,
      // The source may share open calls with the forks from now on: whoever writes to it must know.
      set: 'touched',
    },
    ops: forkOps(sourceId, source, start, targets, now),
  };
}

function afterFork(source: AgentState, position: number): AgentState {
  return {
    ...source,
    head: { ...source.head, revision: source.head.revision + 1 },
    chain: source.chain.map((segment, i) =>
      i === 0 ? { ...segment, pinned: Math.max(segment.pinned, position) } : segment,
    ),
  };
}

/** The fork's branch before those of the source, whose own ends where the fork begins. */
function withAncestors(source: AgentState, start: ForkStart, fork: AgentState): AgentState {
  const [own] = fork.chain;
  if (!own || !start.parent) return fork;
  return { ...fork, chain: chainFrom(source.chain, own, start, start.parent.version) };
}
