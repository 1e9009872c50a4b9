import { number, numberOrNull } from './codec.ts';
import type { Row } from './port/values.ts';

/**
 * A conversation lies on a chain of branches: the agent's own, the one in which that begins, and so on. Of each it
 * has one segment, since a parent's part ends where its child begins. That rule is here, as a builder of SQL and
 * for rows that come one at a time, and nowhere else.
 */

/** Part of a branch: the messages [lo, hi) and the calls [callLo, callHi). */
export interface Segment {
  branch: number;
  parent: number | null;
  lo: number;
  hi: number;
  callLo: number;
  callHi: number;
  /** Compactions of the branch count up to this version of its starter. */
  versionHi: number;
}

/** What a write needs of it as well. */
export interface HeldSegment extends Segment {
  /** The agent that started the branch. */
  agent: number;
  /** `versionHi` of the parent. */
  forkVersion: number | null;
  pinned: number;
  epoch: number;
  adopted: boolean;
}

/** A conversation's segments, that of the agent's own branch first, then its ancestors'. */
export type Chain = HeldSegment[];

/** Where a conversation ends. */
export interface ChainEnd {
  messageCount: number;
  callCount: number;
}

/** A branch as it is stored. */
export interface BranchStart {
  branch: number;
  parent: number | null;
  forkSeq: number;
  forkCallSeq: number;
  forkVersion: number | null;
}

/** Beyond every version. */
const EVERY_VERSION = Number.MAX_SAFE_INTEGER;

/** Makes segments of branches as they are found, from the conversation's end upwards. */
export class ChainWalk {
  #hi: number;
  #callHi: number;
  #versionHi = EVERY_VERSION;

  constructor({ messageCount, callCount }: ChainEnd) {
    this.#hi = messageCount;
    this.#callHi = callCount;
  }

  next({ branch, parent, forkSeq, forkCallSeq, forkVersion }: BranchStart): Segment {
    const [hi, callHi, versionHi] = [this.#hi, this.#callHi, this.#versionHi];
    // A child may begin before its parent does: it shares calls alone with it then.
    this.#hi = Math.min(hi, forkSeq);
    this.#callHi = Math.min(callHi, forkCallSeq);
    this.#versionHi = forkVersion ?? EVERY_VERSION;
    return { branch, parent, lo: forkSeq, hi, callLo: forkCallSeq, callHi, versionHi };
  }
}

/** What chains begin with: rows `h` that have `tree`, `branch`, `message_count` and `call_count`. */
export interface ChainHeads {
  /** What follows FROM; it calls them `h`. */
  readonly from: string;
  readonly where?: string;
  /** Columns of `h` that every row of its chain has. */
  readonly carry?: readonly string[];
  /** How tables are joined: a dialect's `joinInOrder`, where the order matters. */
  readonly join?: string;
  /** Ends at this depth what must be a circle. */
  readonly maxDepth?: number;
}

/**
 * Body of a recursive CTE called `chain`, one row for each segment: `depth` (0 is the agent's own), `tree`,
 * `branch`, `parent`, `starter`, `lo`, `hi`, `call_lo`, `call_hi`, `fork_version`, `version_hi`, `pinned`, `epoch`,
 * `adopted`, and what is carried.
 */
export function chainsOf({ from, where, carry = [], join = 'JOIN', maxDepth }: ChainHeads): string {
  const carried = (alias: string) => carry.map((column) => `, ${alias}.${column}`).join('');
  const condition = where === undefined ? '' : `WHERE ${where}`;
  const end = maxDepth === undefined ? '' : `WHERE c.depth < ${maxDepth}`;
  return `SELECT 0 AS depth, h.tree, b.branch, b.parent, b.agent AS starter, b.fork_seq AS lo, h.message_count AS hi,
       b.fork_call_seq AS call_lo, h.call_count AS call_hi, b.fork_version, CAST(${EVERY_VERSION} AS bigint) AS version_hi,
       b.pinned, b.epoch, b.adopted${carried('h')}
     FROM ${from} ${join} {branches} AS b ON b.tree = h.tree AND b.branch = h.branch ${condition}
     UNION ALL
     SELECT c.depth + 1, c.tree, p.branch, p.parent, p.agent, p.fork_seq, CASE WHEN c.lo < c.hi THEN c.lo ELSE c.hi END,
       p.fork_call_seq, CASE WHEN c.call_lo < c.call_hi THEN c.call_lo ELSE c.call_hi END, p.fork_version,
       coalesce(c.fork_version, ${EVERY_VERSION}), p.pinned, p.epoch, p.adopted${carried('c')}
     FROM chain AS c ${join} {branches} AS p ON p.tree = c.tree AND p.branch = c.parent ${end}`;
}

/** The columns of `chain` that a segment is made of. */
export const SEGMENT_COLUMNS =
  'c.branch, c.parent, c.starter, c.lo, c.hi, c.call_lo, c.call_hi, c.fork_version, c.version_hi, c.pinned, c.epoch, c.adopted';

/** Of rows with these columns, the nearest first. */
export function decodeChain(rows: readonly Row[]): Chain {
  return rows.map((row) => ({
    branch: number(row.branch),
    agent: number(row.starter),
    parent: numberOrNull(row.parent),
    lo: number(row.lo),
    hi: number(row.hi),
    callLo: number(row.call_lo),
    callHi: number(row.call_hi),
    versionHi: number(row.version_hi),
    forkVersion: numberOrNull(row.fork_version),
    pinned: number(row.pinned),
    epoch: number(row.epoch),
    adopted: number(row.adopted) === 1,
  }));
}

/**
 * Where a fork or a snapshot at a position attaches: to the nearest branch that has begun there. It may not
 * have a message yet; what was compacted there counts all the same.
 */
export function segmentAt(chain: Chain, position: number): HeldSegment {
  const segment = chain.find((candidate) => candidate.lo <= position);
  if (!segment) throw new RangeError('a conversation has at least one branch');
  return segment;
}

/**
 * Where an agent's own new branch begins: after the branch with the last message before it. Another one without
 * messages would only be passed through, and each rewrite from there would make the chain longer.
 */
export function segmentBefore(chain: Chain, position: number): HeldSegment {
  return chain.find((candidate) => candidate.lo < position) ?? segmentAt(chain.slice(-1), position);
}

/** The chain of a new branch that starts in the first segment of another chain, where that is at `version`. */
export function chainFrom(
  [parent, ...ancestors]: Chain,
  own: HeldSegment,
  { messageCount, callCount }: ChainEnd,
  version: number,
): Chain {
  if (!parent) throw new RangeError('a conversation has at least one branch');
  const walk = new ChainWalk({ messageCount, callCount });
  const fork = { branch: own.branch, parent: parent.branch, forkSeq: messageCount, forkCallSeq: callCount };
  const begun = walk.next({ ...fork, forkVersion: version });
  const inherited = walk.next({
    branch: parent.branch,
    parent: parent.parent,
    forkSeq: parent.lo,
    forkCallSeq: parent.callLo,
    forkVersion: parent.forkVersion,
  });
  return [{ ...own, ...begun, forkVersion: version }, { ...parent, ...inherited }, ...ancestors];
}
