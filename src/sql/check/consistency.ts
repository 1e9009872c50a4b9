import { AgentNotFoundError, CorruptDataError } from '../../errors.ts';
import type { CheckedCheck } from '../../store/arguments.ts';
import type { ConsistencyIssue, ConsistencyReport } from '../../store/store.ts';
import { unlessAborted } from '../../store/unless-aborted.ts';
import { number, text } from '../codec.ts';
import type { SqlContext } from '../context.ts';
import type { Dialect } from '../port/dialect.ts';
import type { Driver } from '../port/driver.ts';
import { run, type Script } from '../port/driver.ts';
import { statement } from '../port/statement.ts';
import type { SqlValue } from '../port/values.ts';
import { BRANCH_RULES } from './branch-rules.ts';
import { everyBrokenPayload } from './every-payload.ts';
import { HEAD_RULES } from './head-rules.ts';
import { orphanedMetadata, orphanRules } from './orphan-rules.ts';
import { OWNER_RULES } from './owner-rules.ts';
import { brokenPayloads } from './payloads.ts';
import { AGENT, RANGE, type Rule, ruleStatement, type Scope } from './rule.ts';

/** A report longer than this says nothing more; what is checked after it isn't known. */
export const MAX_ISSUES = 1_000;
/** Agents in one look at the database: the whole of it may be far more than memory holds. */
const AGENTS_PER_PAGE = 100;
const IDS_PER_PAGE = 1_000;
/** Above every key. */
const END = Number.MAX_SAFE_INTEGER;

const PAGE_END = statement(
  'check_page_end',
  `SELECT tree FROM {heads} WHERE tree > $1 ORDER BY tree, agent LIMIT 1 OFFSET ${AGENTS_PER_PAGE - 1}`,
);
const IDS = statement(
  'check_directory',
  `SELECT d.agent_id, d.agent, h.agent AS living FROM {directory} d
     LEFT JOIN {heads} h ON h.tree = d.tree AND h.agent = d.agent
   WHERE d.agent_id > $1 ORDER BY d.agent_id LIMIT ${IDS_PER_PAGE}`,
);
const ID = statement(
  'check_directory_row',
  `SELECT d.agent_id, d.agent, h.agent AS living FROM {directory} d
     LEFT JOIN {heads} h ON h.tree = d.tree AND h.agent = d.agent
   WHERE d.agent_id = $1`,
);

/**
 * Checks what every commit, fork and deletion keeps true, of one agent or of everything. Each look is at
 * one moment, and none needs another, so agents may go on working meanwhile.
 */
export async function checkConsistency(context: SqlContext, check: CheckedCheck): Promise<ConsistencyReport> {
  const issues: ConsistencyIssue[] = [];
  const { agentId, signal } = check;
  const source =
    agentId === undefined ? everyIssue(context.driver, check) : issuesOf(context, agentId, check);
  signal?.throwIfAborted();
  for (;;) {
    const next = await unlessAborted(source.next(), signal);
    if (next.done) break;
    if (issues.length === MAX_ISSUES) {
      issues.push({ rule: 'too-many-issues', detail: `The check ended after ${MAX_ISSUES} issues` });
      break;
    }
    issues.push(next.value);
  }
  return { consistent: issues.length === 0, issues, checkedAt: new Date(context.driver.clock.now()) };
}

async function* everyIssue(
  driver: Driver,
  { level, signal, onProgress }: CheckedCheck,
): AsyncGenerator<ConsistencyIssue> {
  for (const detail of (await driver.damage?.(level)) ?? []) yield { rule: 'database-file', detail };
  onProgress({ part: 'database', done: 1 });
  yield* readable(brokenRules(driver, onProgress, signal));
  if (level === 'quick') return;
  let read = 0;
  const onRows = (rows: number) => {
    signal?.throwIfAborted();
    read += rows;
    onProgress({ part: 'payloads', done: read });
  };
  for (const broken of everyBrokenPayload(driver, onRows)) yield* readable(broken);
}

/** Pages that can't be read are a finding; whatever else can be read is checked all the same. */
async function* readable(source: AsyncGenerator<ConsistencyIssue>): AsyncGenerator<ConsistencyIssue> {
  try {
    yield* source;
  } catch (error) {
    if (!(error instanceof CorruptDataError)) throw error;
    yield { rule: 'database-file', detail: error.message };
  }
}

async function* brokenRules(
  driver: Driver,
  onProgress: CheckedCheck['onProgress'],
  signal: AbortSignal | undefined,
): AsyncGenerator<ConsistencyIssue> {
  const rules = rulesOf(driver.dialect);
  for (let after = 0, done = 0; after < END; ) {
    signal?.throwIfAborted();
    const from = after;
    const [last] = await driver.read(PAGE_END, [from]);
    after = last ? number(last.tree) : END;
    // Keys without a head fall into a page, too: what is left of them is found.
    yield* await driver.analyse(() => broken(rules, RANGE, [from + 1, after]));
    done += last ? AGENTS_PER_PAGE : 0;
    onProgress({ part: 'rules', done });
  }
  yield* orphanedMetadata(driver);
  for (let after = ''; ; ) {
    const rows = await driver.read(IDS, [after]);
    for (const row of rows) {
      if (row.living === null) yield missingHead(String(row.agent_id), row.agent);
    }
    if (rows.length < IDS_PER_PAGE) return;
    after = String(rows.at(-1)?.agent_id);
  }
}

async function* issuesOf(
  { driver, directory }: SqlContext,
  agentId: string,
  { level }: CheckedCheck,
): AsyncGenerator<ConsistencyIssue> {
  // What is remembered says nothing about what is stored.
  directory.forget(agentId);
  const keys = await directory.get(agentId);
  const rules = rulesOf(driver.dialect).filter((rule) => !ABOUT_TREES.has(rule.name));
  const found = await driver.analyse(function* (): Script<ConsistencyIssue[] | undefined> {
    const [row] = yield* run(ID, [agentId]);
    if (!row) return undefined;
    const missing = row.living === null ? [missingHead(agentId, row.agent)] : [];
    return [...missing, ...(yield* broken(rules, AGENT, [keys.tree, keys.agent]))];
  });
  if (!found) {
    directory.forget(agentId);
    throw new AgentNotFoundError(agentId);
  }
  for (const issue of found) yield { ...issue, agentId };
  if (level === 'quick') return;
  for await (const issue of brokenPayloads(driver, keys)) yield { ...issue, agentId };
}

/** Left to the check of everything: what deleted agents left behind is no matter of a living one. */
const ABOUT_TREES = new Set(['orphan-rows', 'orphan-branch']);

function rulesOf(dialect: Dialect): Rule[] {
  return [...HEAD_RULES, ...BRANCH_RULES, ...OWNER_RULES, ...orphanRules(dialect)];
}

function* broken(
  rules: readonly Rule[],
  scope: Scope,
  params: readonly SqlValue[],
): Script<ConsistencyIssue[]> {
  const issues: ConsistencyIssue[] = [];
  for (const rule of rules) {
    for (const row of yield* run(ruleStatement(rule, scope), params)) {
      const agentId = text(row.agent_id);
      issues.push({ ...(agentId === null ? {} : { agentId }), rule: rule.name, detail: rule.detail(row) });
    }
  }
  return issues;
}

function missingHead(agentId: string, agent: unknown): ConsistencyIssue {
  return {
    agentId,
    rule: 'head-row',
    detail: `the directory leads to agent key ${agent}, which has no head`,
  };
}
