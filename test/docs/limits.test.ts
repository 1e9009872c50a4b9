import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import * as agent from '../../src/agent/agent.ts';
import * as deltaWriter from '../../src/agent/delta-writer.ts';
import * as partStream from '../../src/agent/part-stream.ts';
import * as spawn from '../../src/agent/spawn.ts';
import * as template from '../../src/agent/template.ts';
import * as toolName from '../../src/agent/tool-name.ts';
import * as turnQueue from '../../src/agent/turn-queue.ts';
import * as cell from '../../src/json/cell.ts';
import * as cells from '../../src/json/cells.ts';
import * as deltas from '../../src/json/deltas.ts';
import * as load from '../../src/json/load.ts';
import * as lockEnd from '../../src/json/lock-end.ts';
import * as logFile from '../../src/json/log-file.ts';
import * as openFiles from '../../src/json/open-files.ts';
import * as attempts from '../../src/model/attempts.ts';
import * as commitRules from '../../src/model/commit-rules.ts';
import * as databaseTime from '../../src/model/database-time.ts';
import * as ids from '../../src/model/ids.ts';
import * as json from '../../src/model/json.ts';
import * as stopwatch from '../../src/model/stopwatch.ts';
import * as batches from '../../src/postgres/batch.ts';
import * as cancel from '../../src/postgres/cancel.ts';
import * as postgresDriver from '../../src/postgres/driver.ts';
import * as gate from '../../src/postgres/gate.ts';
import * as postgres from '../../src/postgres/options.ts';
import * as prepared from '../../src/postgres/prepared-names.ts';
import * as postgresStore from '../../src/postgres/store.ts';
import * as units from '../../src/postgres/units.ts';
import * as agentState from '../../src/sql/agent-state.ts';
import * as consistency from '../../src/sql/check/consistency.ts';
import * as health from '../../src/sql/check/health.ts';
import * as directory from '../../src/sql/directory.ts';
import * as statements from '../../src/sql/port/statement.ts';
import * as watched from '../../src/sql/read/deltas.ts';
import * as watching from '../../src/sql/read/events.ts';
import * as committer from '../../src/sql/write/committer.ts';
import * as appending from '../../src/sql/write/event-writer.ts';
import * as forks from '../../src/sql/write/fork/forks.ts';
import * as stateCache from '../../src/sql/write/state-cache.ts';
import * as sqliteDriver from '../../src/sqlite/driver.ts';
import * as sqlite from '../../src/sqlite/options.ts';
import * as writeQueue from '../../src/sqlite/write-queue.ts';
import * as inTime from '../../src/store/acquire-in-time.ts';
import * as options from '../../src/store/arguments.ts';
import * as lifecycle from '../../src/store/lifecycle.ts';
import * as metadata from '../../src/store/metadata-filter.ts';
import * as schemas from '../../src/store/postgres-schema.ts';
import * as queues from '../../src/store/queues.ts';
import * as filters from '../../src/store/validate-filter.ts';
import { root } from './samples.ts';

/** What the code says for the row that begins so: milliseconds, bytes, counts. None: there is no bound by default. */
const CODE: Record<string, readonly number[]> = {
  "A lease that isn't renewed": [options.DEFAULT_TTL_MS],
  'Shortest `ttlMs`': [options.MIN_TTL_MS],
  'Longest `ttlMs`': [options.MAX_TTL_MS],
  "What a lease's database may take beyond `waitMs`": [inTime.GRACE_MS],
  'Waiting for another holder of a lease': [0],
  'Waiting for the lease of a helper that `context.spawn` goes on with': [agent.HELPER_WAIT_MS],
  'A call that waits for decisions on what its helper wants to do': [spawn.DECISION_WAIT_MS],
  'SQLite: waiting for other processes that write to the file': [sqlite.DEFAULT_BUSY_TIMEOUT_MS],
  'PostgreSQL: the answer to a statement': [postgres.DEFAULT_CALL_TIMEOUT_MS],
  "PostgreSQL: the server's last word on a statement that was cancelled": [cancel.LAST_WORD_MS],
  'PostgreSQL: a connection that is made': [postgres.DEFAULT_CALL_TIMEOUT_MS],
  'PostgreSQL: a connection of a pool of yours': [postgres.DEFAULT_CALL_TIMEOUT_MS],
  'PostgreSQL: waiting in line while nobody gets a connection': [postgres.DEFAULT_CALL_TIMEOUT_MS],
  'PostgreSQL: a renewal of leases': [postgresDriver.URGENT_TIMEOUT_MS],
  'PostgreSQL: attempts at work that a deadlock or a serialization failure undid': [units.MAX_TRIES],
  'PostgreSQL: `close()`': [postgresStore.CLOSE_MS],
  'SQLite, JSON files: `close()`': [],
  "The database's answer to `healthCheck`": [health.DATABASE_MS],
  "JSON files: how long a lock stands still before it is taken over, where its process can't be seen": [
    lockEnd.DEAD_MS,
  ],
  'JSON files: files open at a time, of all stores of the process': [openFiles.MAX_OPEN_FILES],
  'JSON files: the piece of a line that a crash cut off, kept as `.torn`': [logFile.MAX_TORN_BYTES],
  'Attempts at a commit without a lease that others overtake': [committer.MAX_TRIES],
  "Pause before another worker gets a turn that one didn't end, from the third on": [
    attempts.FIRST_DELAY_MS,
    attempts.FIRST_DELAY_MS * 2 ** attempts.MAX_DOUBLINGS,
  ],
  'Workers that a turn is given to before it ends': [options.DEFAULT_ATTEMPTS],
  "A model's answer": [],
  '`needsApproval`, a schema, `prepareStep`': [],
  "A tool's call": [],
  "The model's calls of one turn": [template.DEFAULT_MAX_STEPS],
  "Somebody who looked at an agent's streamed text counts as watching it": [watched.WATCH_MS],
  "Streamed text that isn't stored yet, while somebody watches": [deltaWriter.INTERVAL_MS],
  'Opening a store, upgrade of the schema included': [],
  'Iterators, checks, statistics over many agents, `batchFork`, `backup`, `watch`, `followAgent`': [],
  'How late a watcher hears of an event when no notification comes': [watching.POLL_MS],
  "Calls on a store that haven't ended": [queues.MAX_CALLS],
  'Writes, events, forks of one agent that wait for each other': [queues.MAX_WRITES_OF_AGENT],
  "Turns of an agent that wait with `whenBusy: 'queue'`": [turnQueue.MAX_WAITING_TURNS],
  'Parts of `agent.stream` that nobody has read': [partStream.MAX_UNREAD_PARTS],
  'Tool calls of one step that run at the same time': [template.DEFAULT_TOOL_CONCURRENCY],
  'PostgreSQL: connections of the pool': [gate.DEFAULT_SIZE],
  'PostgreSQL: calls that wait for a connection': [postgres.DEFAULT_MAX_QUEUED_CALLS],
  'SQLite: writes that wait for their transaction': [writeQueue.DEFAULT_MAX_QUEUED_WRITES],
  'SQLite: writes that share one transaction': [writeQueue.MAX_UNITS],
  'JSON files: what is written to one agent at once': [cell.MAX_BATCH_BYTES],
  'Forks of one agent that are made together': [forks.MAX_TOGETHER],
  "Events of one agent in one write, when they aren't awaited": [appending.MAX_EVENTS, appending.MAX_LENGTH],
  'An id or name that becomes a key': [ids.MAX_NAME_BYTES],
  "A call's id, a tool's name": [ids.MAX_CALL_NAME_BYTES],
  "A tool's name in a template": [toolName.MAX_TOOL_NAME, toolName.MAX_RECORDED_NAME],
  "PostgreSQL: a schema's name": [schemas.MAX_SCHEMA_BYTES],
  "A document's name": [options.MAX_DOCUMENT_NAME_BYTES],
  'Nesting of a stored value': [json.MAX_DEPTH],
  'JSON text of one stored value': [json.MAX_TEXT_LENGTH],
  'JSON texts of one commit, together': [json.MAX_COMMIT_LENGTH],
  "How far an `at` may be ahead of the database's clock": [databaseTime.MAX_AHEAD_MS],
  'A number of `usage`': [Number.MAX_SAFE_INTEGER],
  'Paths of a metadata filter': [metadata.MAX_METADATA_PATHS],
  'A path or a value of a metadata filter': [metadata.MAX_METADATA_TEXT],
  'Records of one query': [filters.DEFAULT_LIMIT],
  'Largest `limit` of a query': [filters.MAX_LIMIT],
  'Forks of one `batchFork`': [options.MAX_FORKS],
  'Problems that `checkConsistency` reports': [consistency.MAX_ISSUES],
  'Commits of an agent whose `operationId` is remembered': [
    commitRules.REMEMBERED_COMMITS,
    commitRules.REMEMBERED_MS,
  ],
  'Keys of agents': [directory.MAX_REMEMBERED],
  'States of agents that were written to last': [stateCache.MAX_AGENTS],
  'Composed statements: texts in use': [statements.MAX_COMPOSED],
  'SQLite: prepared statements': [sqliteDriver.MAX_COMPILED],
  'PostgreSQL: prepared statements of a connection': [prepared.MAX_PREPARED],
  'PostgreSQL: shapes of commits': [batches.MAX_TEMPLATES],
  'Newest tool calls of such an agent': [agentState.MAX_RECENT],
  'JSON files: agents that nobody works with, held in memory': [cells.MAX_AGENTS, cells.MAX_BYTES],
  'JSON files: histories that forks of earlier versions share': [
    load.MAX_REMEMBERED,
    load.MAX_REMEMBERED_BYTES,
  ],
  'Instants at which running tool calls began, of each of so many agents': [
    stopwatch.MAX_CALLS,
    stopwatch.MAX_AGENTS,
  ],
  "JSON files: streamed text of steps that haven't ended": [deltas.MAX_STREAMED],
  'Latencies for `getMetrics`, for each operation': [lifecycle.WINDOW],
};

const UNITS: Record<string, number> = {
  ms: 1,
  s: 1_000,
  min: 60_000,
  h: 3_600_000,
  KB: 1_024,
  MB: 1_048_576,
  毫秒: 1,
  秒: 1_000,
  分钟: 60_000,
  小时: 3_600_000,
};

interface Limit {
  what: string;
  option: string;
  values: number[];
  atBound: string;
}

/** The rows of all tables of the page, without their heads. */
function readLimits(page: string): Limit[] {
  const lines = readFileSync(join(root, 'docs', page), 'utf8').split('\n');
  const rows = lines.filter((line, i) => line.startsWith('| ') && !lines[i + 1]?.startsWith('| ---'));
  return rows
    .filter((line) => !line.startsWith('| ---'))
    .map((line) => {
      const [, what = '', option = '', value = '', atBound = ''] = line.split('|').map((cell) => cell.trim());
      return { what, option, values: valuesIn(value), atBound };
    });
}

function valuesIn(cell: string): number[] {
  return [...cell.matchAll(/(\d[\d,]*(?:\.\d+)?)\s*(ms|min|s|h|KB|MB|毫秒|分钟|秒|小时)?(?![a-z])/g)].map(
    ([, digits = '', unit = '']) => Number(digits.replaceAll(',', '')) * (UNITS[unit] ?? 1),
  );
}

const names = (text: string): string[] =>
  [...text.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name).sort();

describe('the page of limits', () => {
  const english = readLimits('limits.md');
  const chinese = readLimits('zh-CN/limits.md');

  it('gives the defaults that the code has', () => {
    expect(Object.fromEntries(english.map(({ what, values }) => [what, values]))).toEqual(CODE);
  });

  it('says the same in both languages', () => {
    const outline = ({ option, values, atBound }: Limit) => ({
      option: names(option),
      values,
      atBound: names(atBound),
    });
    expect(chinese.map(outline)).toEqual(english.map(outline));
  });

  it('says of every limit what happens there', () => {
    expect([...english, ...chinese].filter(({ what, atBound }) => what === '' || atBound === '')).toEqual([]);
  });
});
