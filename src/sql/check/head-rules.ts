import { agentIdOf, chains, type Rule } from './rule.ts';

/** An agent is a head, a row of `agents`, an id in the directory and a branch: all or none of them. */
const ROWS: Rule[] = [
  {
    name: 'agent-row',
    query: (scope) =>
      `SELECT h.tree, h.agent FROM {heads} h
       WHERE ${scope.agents('h')}
         AND NOT EXISTS (SELECT 1 FROM {agents} a WHERE a.tree = h.tree AND a.agent = h.agent)`,
    detail: (row) => `agent key ${row.agent} has a head but no row in agents`,
  },
  {
    name: 'head-row',
    query: (scope) =>
      `SELECT n.agent_id, n.agent FROM {agents} n
       WHERE ${scope.agents('n')}
         AND NOT EXISTS (SELECT 1 FROM {heads} h WHERE h.tree = n.tree AND h.agent = n.agent)`,
    detail: (row) => `agent key ${row.agent} has a row in agents but no head`,
  },
  {
    name: 'directory-row',
    query: (scope) =>
      `SELECT n.agent_id, n.agent, d.agent AS other FROM {agents} n
         LEFT JOIN {directory} d ON d.agent_id = n.agent_id
       WHERE ${scope.agents('n')} AND (d.agent IS NULL OR d.agent <> n.agent OR d.tree <> n.tree)`,
    detail: (row) =>
      row.other === null
        ? `agent key ${row.agent} has no row in the directory`
        : `the directory's row leads to agent key ${row.other} instead of ${row.agent}`,
  },
  {
    name: 'current-branch',
    query: (scope) =>
      `SELECT h.branch, b.agent AS starter, h.agent, ${agentIdOf('h')} FROM {heads} h
         LEFT JOIN {branches} b ON b.tree = h.tree AND b.branch = h.branch
       WHERE ${scope.agents('h')} AND (b.branch IS NULL OR b.agent <> h.agent)`,
    detail: (row) =>
      row.starter === null
        ? `the agent's branch ${row.branch} doesn't exist`
        : `the agent's branch ${row.branch} was started by agent key ${row.starter}, not ${row.agent}`,
  },
];

/** What the head counts is what is stored. */
const COUNTS: Rule[] = [
  {
    // A nearer branch's row of a call stands for the same call of a farther one.
    name: 'open-calls',
    query: (scope) =>
      `WITH RECURSIVE chain AS (${chains(scope.agents)}), open AS (
         SELECT t.tree, t.branch, t.call_seq, t.state, t.message_seq, t.result_seq FROM {tool_calls} t
         WHERE ${scope.trees('t')} AND (t.state = 1 OR t.message_seq IS NULL OR t.result_seq IS NULL
           OR t.result_seq > t.message_seq)), counted AS (
         SELECT c.tree, c.agent, sum(CASE WHEN o.state = 1 THEN 1 ELSE 0 END) AS pending,
           sum(CASE WHEN o.message_seq IS NULL THEN 1 ELSE 0 END) AS unlinked,
           sum(CASE WHEN o.message_seq IS NOT NULL AND (o.result_seq IS NULL OR o.result_seq >= c.hi) THEN 1 ELSE 0 END)
             AS unanswered
         FROM chain c JOIN open o ON o.tree = c.tree AND o.branch = c.branch AND o.call_seq < c.call_hi
         WHERE NOT EXISTS (
           SELECT 1 FROM chain n JOIN {tool_calls} x
             ON x.tree = n.tree AND x.branch = n.branch AND x.call_seq = o.call_seq
           WHERE n.tree = c.tree AND n.agent = c.agent AND n.depth < c.depth)
         GROUP BY c.tree, c.agent)
       SELECT h.pending_approvals, h.unlinked_calls, h.unanswered_calls, coalesce(k.pending, 0) AS pending,
         coalesce(k.unlinked, 0) AS unlinked, coalesce(k.unanswered, 0) AS unanswered, ${agentIdOf('h')}
       FROM {heads} h LEFT JOIN counted k ON k.tree = h.tree AND k.agent = h.agent
       WHERE ${scope.agents('h')}
         AND (h.pending_approvals <> coalesce(k.pending, 0) OR h.unlinked_calls <> coalesce(k.unlinked, 0)
           OR h.unanswered_calls <> coalesce(k.unanswered, 0))`,
    detail: (row) =>
      `the head counts ${row.pending_approvals} pending approvals, ${row.unlinked_calls} calls without a message and ${row.unanswered_calls} without a result; stored are ${row.pending}, ${row.unlinked} and ${row.unanswered}`,
  },
  {
    name: 'usage-count',
    query: (scope) =>
      `SELECT h.usage_count, coalesce(k.stored, 0) AS stored, k.newest, ${agentIdOf('h')} FROM {heads} h
         LEFT JOIN (
           SELECT u.tree, u.agent, count(*) AS stored, max(u.usage_seq) AS newest FROM {usage} u
           WHERE ${scope.agents('u')} GROUP BY u.tree, u.agent) k ON k.tree = h.tree AND k.agent = h.agent
       WHERE ${scope.agents('h')}
         AND (h.usage_count <> coalesce(k.stored, 0) OR h.usage_count <> coalesce(k.newest, -1) + 1)`,
    detail: (row) =>
      `the head counts ${row.usage_count} usage records; ${row.stored} are stored, the newest is ${row.newest ?? 'none'}`,
  },
  {
    name: 'event-cursors',
    query: (scope) =>
      `SELECT h.cursor, h.pruned_cursor, coalesce(k.stored, 0) AS stored, k.oldest, k.newest, k.gaps, ${agentIdOf('h')}
       FROM {heads} h
         LEFT JOIN (
           SELECT r.tree, r.agent, sum(r.count) AS stored, min(r.cursor - r.count) + 1 AS oldest,
             max(r.cursor) AS newest, sum(CASE WHEN r.cursor - r.count = r.before THEN 0 ELSE 1 END) AS gaps
           FROM (
             SELECT e.tree, e.agent, e.cursor, e.count,
               lag(e.cursor, 1, e.cursor - e.count) OVER (PARTITION BY e.tree, e.agent ORDER BY e.cursor) AS before
             FROM {events} e WHERE ${scope.agents('e')}) r
           GROUP BY r.tree, r.agent) k
           ON k.tree = h.tree AND k.agent = h.agent
       WHERE ${scope.agents('h')} AND (h.cursor - h.pruned_cursor <> coalesce(k.stored, 0)
         OR k.oldest <> h.pruned_cursor + 1 OR k.newest <> h.cursor OR k.gaps > 0)`,
    detail: (row) =>
      `events from ${Number(row.pruned_cursor) + 1} to ${row.cursor} are expected; ${row.stored} are stored, from ${row.oldest ?? 'none'} to ${row.newest ?? 'none'}, with ${row.gaps ?? 0} gaps or overlaps`,
  },
];

export const HEAD_RULES: readonly Rule[] = [...ROWS, ...COUNTS];
