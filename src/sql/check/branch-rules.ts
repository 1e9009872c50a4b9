import { agentIdOf, chains, type Rule, type Scope } from './rule.ts';

/**
 * `need`: how far each branch is needed, by the agent that writes to it, by the branches that start in it
 * and by snapshots. Its rows are exactly those from where it begins up to there.
 */
function needs(scope: Scope): string {
  return `WITH RECURSIVE scope (tree, branch) AS (${scope.branches}), need AS (
       SELECT tree, branch, max(seq) AS seq, max(calls) AS calls, max(pin) AS pin FROM (
         SELECT h.tree, h.branch, h.message_count AS seq, h.call_count AS calls, 0 AS pin
         FROM {heads} h WHERE ${scope.trees('h')}
         UNION ALL
         SELECT child.tree, child.parent, child.fork_seq, child.fork_call_seq, child.fork_seq
         FROM {branches} child WHERE ${scope.trees('child')} AND child.parent IS NOT NULL
         UNION ALL
         SELECT s.tree, s.branch, s.position, coalesce(m.call_count, b.fork_call_seq), s.position
         FROM {snapshots} s LEFT JOIN {branches} b ON b.tree = s.tree AND b.branch = s.branch LEFT JOIN {messages} m
           ON m.tree = s.tree AND m.branch = s.branch AND m.seq = s.position - 1
         WHERE ${scope.trees('s')} AND s.branch IS NOT NULL) each_need
       GROUP BY tree, branch)`;
}

const CHAIN_RULES: Rule[] = [
  {
    name: 'branch-parent',
    query: (scope) =>
      `WITH RECURSIVE scope (tree, branch) AS (${scope.branches})
       SELECT b.branch, b.parent, b.fork_seq, b.fork_call_seq, p.fork_seq AS parent_from, ${agentIdOf('b')}
       FROM scope JOIN {branches} b ON b.tree = scope.tree AND b.branch = scope.branch
         LEFT JOIN {branches} p ON p.tree = b.tree AND p.branch = b.parent
       WHERE (b.parent IS NOT NULL AND (p.branch IS NULL OR (p.fork_seq > b.fork_seq AND NOT EXISTS (
           SELECT 1 FROM {tool_calls} t
           WHERE t.tree = b.tree AND t.branch = b.parent AND t.call_seq < b.fork_call_seq))))
         OR (b.parent IS NULL AND b.fork_seq <> 0)`,
    detail: (row) =>
      row.parent === null
        ? `branch ${row.branch} begins at ${row.fork_seq} and has no parent`
        : row.parent_from === null
          ? `the parent ${row.parent} of branch ${row.branch} doesn't exist`
          : `branch ${row.branch} begins at ${row.fork_seq}, before its parent ${row.parent} does (${row.parent_from}), and shares no calls with it`,
  },
  {
    name: 'branch-pinned',
    query: (scope) =>
      `${needs(scope)}
       SELECT b.branch, b.pinned, n.pin, ${agentIdOf('b')}
       FROM scope JOIN {branches} b ON b.tree = scope.tree AND b.branch = scope.branch
         JOIN need n ON n.tree = b.tree AND n.branch = b.branch
       WHERE b.pinned < n.pin`,
    detail: (row) =>
      `branch ${row.branch} is pinned at ${row.pinned}, and a fork or a snapshot needs it up to ${row.pin}`,
  },
  {
    name: 'orphan-branch',
    query: (scope) =>
      `${needs(scope)}
       SELECT b.branch, ${agentIdOf('b')}
       FROM scope JOIN {branches} b ON b.tree = scope.tree AND b.branch = scope.branch
         LEFT JOIN need n ON n.tree = b.tree AND n.branch = b.branch
       WHERE n.branch IS NULL`,
    detail: (row) => `no agent, fork or snapshot needs branch ${row.branch}`,
  },
];

/** CROSS JOIN: in another order than this one, all messages there are would be gone through. */
const ROW_RULES: Rule[] = [
  {
    name: 'messages',
    query: (scope) =>
      `${needs(scope)}, stored AS (
         SELECT m.tree, m.branch, count(*) AS stored, min(m.seq) AS oldest, max(m.seq) AS newest
         FROM scope CROSS JOIN {messages} m WHERE m.tree = scope.tree AND m.branch = scope.branch
         GROUP BY m.tree, m.branch)
       SELECT b.branch, b.fork_seq, n.seq, coalesce(k.stored, 0) AS stored, k.oldest, k.newest, ${agentIdOf('b')}
       FROM scope JOIN {branches} b ON b.tree = scope.tree AND b.branch = scope.branch
         JOIN need n ON n.tree = b.tree AND n.branch = b.branch
         LEFT JOIN stored k ON k.tree = b.tree AND k.branch = b.branch
       WHERE coalesce(k.stored, 0) <> CASE WHEN n.seq > b.fork_seq THEN n.seq - b.fork_seq ELSE 0 END OR k.oldest <> b.fork_seq OR k.newest <> n.seq - 1`,
    detail: (row) =>
      `branch ${row.branch} needs the messages ${row.fork_seq} to ${Number(row.seq) - 1}; ${row.stored} are stored, from ${row.oldest ?? 'none'} to ${row.newest ?? 'none'}`,
  },
  {
    name: 'message-times',
    query: (scope) =>
      `WITH RECURSIVE scope (tree, branch) AS (${scope.branches})
       SELECT m.branch, m.seq, ${agentIdOf('m', 'm.starter')} FROM (
         SELECT b.tree, b.branch, b.agent AS starter, r.seq, r.created_at,
           lag(r.created_at) OVER (PARTITION BY r.tree, r.branch ORDER BY r.seq) AS earlier
         FROM scope JOIN {branches} b ON b.tree = scope.tree AND b.branch = scope.branch
           JOIN {messages} r ON r.tree = b.tree AND r.branch = b.branch) m
       WHERE m.created_at < m.earlier`,
    detail: (row) => `message ${row.seq} of branch ${row.branch} is older than the one before it`,
  },
  {
    name: 'calls-beyond',
    query: (scope) =>
      `${needs(scope)}
       SELECT t.branch, n.calls, min(t.call_seq) AS call_seq, count(*) AS stored, ${agentIdOf('b')}
       FROM scope JOIN {branches} b ON b.tree = scope.tree AND b.branch = scope.branch
         JOIN need n ON n.tree = b.tree AND n.branch = b.branch
         JOIN {tool_calls} t ON t.tree = b.tree AND t.branch = b.branch AND t.call_seq >= coalesce(n.calls, 0)
       GROUP BY b.tree, b.agent, t.branch, n.calls`,
    detail: (row) =>
      `branch ${row.branch} needs the tool calls below ${row.calls ?? 0}; ${row.stored} more are stored, from ${row.call_seq}`,
  },
  {
    name: 'compactions-beyond',
    query: (scope) =>
      `${needs(scope)}
       SELECT c.branch, c.position, c.upto, n.seq, ${agentIdOf('b')}
       FROM scope JOIN {branches} b ON b.tree = scope.tree AND b.branch = scope.branch
         JOIN need n ON n.tree = b.tree AND n.branch = b.branch
         JOIN {compactions} c ON c.tree = b.tree AND c.branch = b.branch
       WHERE c.position > n.seq OR c.upto > c.position`,
    detail: (row) =>
      `the compaction at ${row.position} of branch ${row.branch} replaces messages below ${row.upto}; the branch has those below ${row.seq}`,
  },
  {
    name: 'snapshot-position',
    query: (scope) =>
      `SELECT s.snapshot_id, s.branch, s.position, ${agentIdOf('s')} FROM {snapshots} s
         LEFT JOIN {branches} b ON b.tree = s.tree AND b.branch = s.branch
       WHERE ${scope.agents('s')}
         AND ((s.messages IS NULL AND (b.branch IS NULL OR s.position < b.fork_seq))
           OR (s.messages IS NULL) = (s.branch IS NULL))`,
    detail: (row) =>
      `snapshot "${row.snapshot_id}" refers to position ${row.position} of branch ${row.branch}, which doesn't have it`,
  },
];

/** Calls that a branch should have and doesn't have itself: a nearer branch may have its own copies of them. */
const MISSING_CALLS = (scope: Scope): string =>
  `${needs(scope)}, missing AS (
     SELECT b.tree, b.branch FROM scope JOIN {branches} b ON b.tree = scope.tree AND b.branch = scope.branch
       JOIN need n ON n.tree = b.tree AND n.branch = b.branch
     WHERE n.calls - CASE WHEN b.parent IS NULL THEN 0 ELSE b.fork_call_seq END <> (
       SELECT count(*) FROM {tool_calls} t WHERE t.tree = b.tree AND t.branch = b.branch
         AND t.call_seq >= CASE WHEN b.parent IS NULL THEN 0 ELSE b.fork_call_seq END AND t.call_seq < n.calls))`;

/** Conversations that contain such a branch are looked at call by call; all others are complete. */
const CALLS: Rule = {
  name: 'calls',
  query: (scope) =>
    `${MISSING_CALLS(scope)}, chain AS (${chains(scope.agents)}), counted AS (
       SELECT c.tree, c.agent, count(DISTINCT t.call_seq) AS stored
       FROM chain c LEFT JOIN {tool_calls} t
         ON t.tree = c.tree AND t.branch = c.branch AND t.call_seq < c.call_hi
       WHERE EXISTS (
         SELECT 1 FROM chain o JOIN missing m ON m.tree = o.tree AND m.branch = o.branch
         WHERE o.tree = c.tree AND o.agent = c.agent)
       GROUP BY c.tree, c.agent)
     SELECT h.call_count, k.stored, ${agentIdOf('h')} FROM counted k
       JOIN {heads} h ON h.tree = k.tree AND h.agent = k.agent
     WHERE k.stored <> h.call_count`,
  detail: (row) => `the conversation has ${row.call_count} tool calls; ${row.stored} of them are stored`,
};

export const BRANCH_RULES: readonly Rule[] = [...CHAIN_RULES, ...ROW_RULES, CALLS];
