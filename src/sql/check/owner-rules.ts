import { agentIdOf, chains, type Rule, type Scope } from './rule.ts';

/**
 * Who shows a row in queries over all agents: its branch's starter if its conversation contains the row,
 * else the oldest living agent whose does, else nobody. `users`: each branch's users in that order;
 * `share`: the piece of the branch that falls to each.
 */
function shares(scope: Scope, column: 'hi' | 'call_hi'): string {
  return `WITH RECURSIVE scope (tree, branch) AS (${scope.branches}), chain AS (${chains(scope.trees)}), users AS (
       SELECT c.tree, c.branch, c.agent, c.depth, c.${column} AS upto,
         row_number() OVER (
           PARTITION BY c.tree, c.branch
           ORDER BY CASE WHEN c.agent = b.agent THEN 0 ELSE 1 END, a.created_at, c.agent) AS rank
       FROM chain c JOIN {branches} b ON b.tree = c.tree AND b.branch = c.branch
         JOIN {agents} a ON a.tree = c.tree AND a.agent = c.agent
       WHERE (c.tree, c.branch) IN (SELECT tree, branch FROM scope)), share AS (
       SELECT u.tree, u.branch, u.agent, u.upto, coalesce(max(u.upto) OVER (
         PARTITION BY u.tree, u.branch ORDER BY u.rank ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS since
       FROM users u), reached AS (
       SELECT tree, branch, max(upto) AS upto FROM users GROUP BY tree, branch)`;
}

/**
 * Rows of an abandoned branch that lie beyond every conversation. CROSS JOIN: in another order than this
 * one, all rows there are would be gone through.
 */
function unclaimed(table: string, seq: string): string {
  return `SELECT r.tree, r.branch, r.${seq} AS seq, r.owner, NULL AS expected
     FROM scope LEFT JOIN reached ON reached.tree = scope.tree AND reached.branch = scope.branch
       CROSS JOIN {${table}} r
     WHERE r.tree = scope.tree AND r.branch = scope.branch AND r.${seq} >= coalesce(reached.upto, 0) AND r.owner IS NOT NULL`;
}

const detail: (what: string) => Rule['detail'] = (what) => (row) =>
  `${what} ${row.seq} of branch ${row.branch} is shown under ${name(row.owner)} instead of ${name(row.expected)}`;

function name(agent: unknown): string {
  return agent === null ? 'no agent' : `agent key ${agent}`;
}

const MESSAGES: Rule = {
  name: 'message-owner',
  query: (scope) =>
    `${shares(scope, 'hi')}
     SELECT w.*, ${agentIdOf('w', 'coalesce(w.expected, w.owner)')} FROM (
       SELECT r.tree, r.branch, r.seq, r.owner, s.agent AS expected
       FROM share s JOIN {messages} r
         ON r.tree = s.tree AND r.branch = s.branch AND r.seq >= s.since AND r.seq < s.upto
       WHERE s.since < s.upto AND (r.owner IS NULL OR r.owner <> s.agent)
       UNION ALL ${unclaimed('messages', 'seq')}) w`,
  detail: detail('message'),
};

/** A user that has its own copy of a call on a nearer branch, so that the row here isn't its call. */
const SHADOWED = `EXISTS (
         SELECT 1 FROM chain mine JOIN chain nearer
             ON nearer.tree = mine.tree AND nearer.agent = mine.agent AND nearer.depth < mine.depth
           JOIN {tool_calls} x ON x.tree = nearer.tree AND x.branch = nearer.branch AND x.call_seq = r.call_seq
         WHERE mine.tree = r.tree AND mine.branch = r.branch AND mine.agent = u.agent)`;

const CALLS: Rule = {
  name: 'call-owner',
  query: (scope) =>
    `${shares(scope, 'call_hi')}, copied AS (
       SELECT DISTINCT p.tree, p.branch, x.call_seq FROM chain p
         JOIN chain n ON n.tree = p.tree AND n.agent = p.agent AND n.depth < p.depth
         JOIN {tool_calls} x ON x.tree = n.tree AND x.branch = n.branch AND x.call_seq < p.call_hi
       WHERE (p.tree, p.branch) IN (SELECT tree, branch FROM scope))
     SELECT w.*, ${agentIdOf('w', 'coalesce(w.expected, w.owner)')} FROM (
       SELECT r.tree, r.branch, r.call_seq AS seq, r.owner, s.agent AS expected
       FROM share s JOIN {tool_calls} r
         ON r.tree = s.tree AND r.branch = s.branch AND r.call_seq >= s.since AND r.call_seq < s.upto
       WHERE s.since < s.upto AND (r.owner IS NULL OR r.owner <> s.agent) AND NOT EXISTS (
         SELECT 1 FROM copied k WHERE k.tree = r.tree AND k.branch = r.branch AND k.call_seq = r.call_seq)
       UNION ALL
       SELECT o.tree, o.branch, o.seq, o.owner, o.expected FROM (
         SELECT r.tree, r.branch, r.call_seq AS seq, r.owner, (
           SELECT u.agent FROM users u
           WHERE u.tree = r.tree AND u.branch = r.branch AND u.upto > r.call_seq AND NOT ${SHADOWED}
           ORDER BY u.rank LIMIT 1) AS expected
         FROM copied k JOIN {tool_calls} r
           ON r.tree = k.tree AND r.branch = k.branch AND r.call_seq = k.call_seq) o
       WHERE coalesce(o.owner, -1) <> coalesce(o.expected, -1)
       UNION ALL ${unclaimed('tool_calls', 'call_seq')}) w`,
  detail: detail('tool call'),
};

/** Forks claim rows only of branches that are marked, and only those are looked at when an agent leaves. */
const ADOPTED: Rule = {
  name: 'branch-adopted',
  query: (scope) =>
    `WITH RECURSIVE scope (tree, branch) AS (${scope.branches})
     SELECT b.branch, ${agentIdOf('b')}
     FROM scope JOIN {branches} b ON b.tree = scope.tree AND b.branch = scope.branch
     WHERE b.adopted = 0 AND NOT EXISTS (
       SELECT 1 FROM {heads} h WHERE h.tree = b.tree AND h.agent = b.agent AND h.branch = b.branch)`,
  detail: (row) => `nobody writes to branch ${row.branch} any more, and it isn't marked as adopted`,
};

export const OWNER_RULES: readonly Rule[] = [MESSAGES, CALLS, ADOPTED];
