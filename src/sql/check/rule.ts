import { chainsOf } from '../chain.ts';
import { composed, type Statement } from '../port/statement.ts';
import type { Row } from '../port/values.ts';

/**
 * What a check looks at: every tree of a range of keys (`$1` to `$2`), or one agent (`$1` its tree, `$2`
 * its key). Nothing of one tree refers to another, so a range of trees can be checked on its own.
 */
export interface Scope {
  readonly name: string;
  /** Rows of all trees that are looked at. */
  trees(alias: string): string;
  /** Rows of the agents that are looked at. */
  agents(alias: string): string;
  /** Body of a CTE `scope (tree, branch)`: the branches that are looked at. */
  readonly branches: string;
}

export const RANGE: Scope = {
  name: 'range',
  trees: (alias) => `${alias}.tree BETWEEN $1 AND $2`,
  agents: (alias) => `${alias}.tree BETWEEN $1 AND $2`,
  branches: 'SELECT tree, branch FROM {branches} WHERE tree BETWEEN $1 AND $2',
};

/** The branches that the agent's conversation and its snapshots are read from. UNION ends at a cycle. */
export const AGENT: Scope = {
  name: 'agent',
  trees: (alias) => `${alias}.tree = $1`,
  agents: (alias) => `${alias}.tree = $1 AND ${alias}.agent = $2`,
  branches: `SELECT tree, branch FROM (
       SELECT tree, branch FROM {heads} WHERE tree = $1 AND agent = $2
       UNION SELECT tree, branch FROM {snapshots} WHERE tree = $1 AND agent = $2 AND branch IS NOT NULL) roots
     UNION
     SELECT b.tree, b.parent FROM scope JOIN {branches} b ON b.tree = scope.tree AND b.branch = scope.branch
     WHERE b.parent IS NOT NULL`,
};

/** Enough to see what is wrong with a page; a broken database has more than anybody reads. */
const MAX_ROWS = 100;

/** One thing that always holds. Its query returns the rows for which it doesn't, with `agent_id` if known. */
export interface Rule {
  readonly name: string;
  query(scope: Scope): string;
  detail(row: Row): string;
}

/** A rule's query on a scope: the same object each time, so that drivers prepare it once. */
export function ruleStatement(rule: Rule, scope: Scope): Statement {
  return composed(`check_${rule.name.replaceAll('-', '_')}`, `${rule.query(scope)} LIMIT ${MAX_ROWS}`);
}

/** The public id of an agent key, if the agent is there. */
export function agentIdOf(alias: string, agent = `${alias}.agent`): string {
  return `(SELECT a.agent_id FROM {agents} a WHERE a.tree = ${alias}.tree AND a.agent = ${agent}) AS agent_id`;
}

/** Depth at which a chain must be a cycle. */
const MAX_DEPTH = 100_000;

/** Body of a CTE `chain`: the chains of the agents that are looked at, whose keys are its `agent`. */
export function chains(where: (alias: string) => string): string {
  return chainsOf({ from: '{heads} AS h', where: where('h'), carry: ['agent'], maxDepth: MAX_DEPTH });
}
