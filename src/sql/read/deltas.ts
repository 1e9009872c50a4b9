import { StoreBusyError } from '../../errors.ts';
import type { Delta } from '../../model/agent.ts';
import { number, parseJson } from '../codec.ts';
import type { SqlContext } from '../context.ts';
import type { AgentKeys } from '../keys.ts';
import { type Driver, UniqueViolation } from '../port/driver.ts';
import { statement } from '../port/statement.ts';
import type { Row } from '../port/values.ts';

/** Who watches announces it for so long, and again when half of it is over. */
export const WATCH_MS = 30_000;
/** Pieces are written by one at a time, as a rule. */
const MAX_TRIES = 8;

/**
 * Pieces are numbered by the agent's version and within it, so that their numbers rise also after those of an
 * earlier step were removed. The lock keeps the agent from being deleted in between; it holds up no commit.
 */
const SAVE_DELTA = statement('save_delta', ({ greatest, lockRow }) => {
  const last = 'SELECT max(d.piece) FROM {deltas} d WHERE d.tree = h.tree AND d.agent = h.agent';
  return `INSERT INTO {deltas} (tree, agent, piece, message_count, payload)
   SELECT h.tree, h.agent, ${greatest(`coalesce((${last}), 0) + 1`, 'h.version * 1048576')}, h.message_count, $3
   FROM {heads} h WHERE h.tree = $1 AND h.agent = $2 ${lockRow({ against: 'removal', of: 'h' })}
   RETURNING (SELECT CASE WHEN w.watched_until > {now} THEN 1 ELSE 0 END FROM {heads} w
     WHERE w.tree = $1 AND w.agent = $2) AS watched`;
});

/** With the head, so that no pieces and no agent are told apart. */
const READ_DELTAS = statement(
  'read_deltas',
  `SELECT d.piece, d.payload, CASE WHEN h.watched_until < {now} + ${WATCH_MS / 2} THEN 1 ELSE 0 END AS unannounced
   FROM {heads} h LEFT JOIN {deltas} d
     ON d.tree = h.tree AND d.agent = h.agent AND d.message_count = h.message_count AND d.piece > $3
   WHERE h.tree = $1 AND h.agent = $2`,
);

const ANNOUNCE = statement(
  'announce_watcher',
  `UPDATE {heads} SET watched_until = {now} + ${WATCH_MS}
   WHERE tree = $1 AND agent = $2 AND watched_until < {now} + ${WATCH_MS / 2}`,
);

const IS_WATCHED = statement(
  'is_watched',
  `SELECT CASE WHEN watched_until > {now} THEN 1 ELSE 0 END AS watched
   FROM {heads} WHERE tree = $1 AND agent = $2`,
);

/** A piece of streamed text, in the order in which pieces were written. */
export interface Piece {
  readonly piece: number;
  readonly payload: string;
}

/** Appends a piece. Whether somebody watches the agent. */
export async function saveDelta(context: SqlContext, agentId: string, payload: string): Promise<boolean> {
  const { driver, directory } = context;
  const watched = await directory.resolve(agentId, async (keys) => {
    const row = await append(driver, keys, payload);
    return row && number(row.watched) === 1;
  });
  if (watched) await driver.notify();
  return watched;
}

async function append(driver: Driver, { tree, agent }: AgentKeys, payload: string): Promise<Row | undefined> {
  for (let tries = 0; tries < MAX_TRIES; tries += 1) {
    try {
      return (await driver.write(SAVE_DELTA, [tree, agent, payload]))[0];
    } catch (error) {
      // Somebody else's piece got the same number.
      if (!(error instanceof UniqueViolation)) throw error;
    }
  }
  throw new StoreBusyError(
    'Pieces of streamed text of this agent are being saved by several at once. Let one write them.',
  );
}

/** All pieces of the step under way. Who asks is taken for a watcher. */
export async function loadDelta(context: SqlContext, agentId: string): Promise<Delta[]> {
  const { driver, directory } = context;
  const rows = await directory.resolve(agentId, async (keys) => {
    const found = await driver.read(READ_DELTAS, [keys.tree, keys.agent, 0]);
    if (found.length > 0 && number(found[0]?.unannounced) === 1) await announce(driver, keys);
    return found.length > 0 ? found : undefined;
  });
  return piecesOf(rows).map(({ payload }) => decodeDelta(agentId, payload));
}

export async function isWatched({ driver, directory }: SqlContext, agentId: string): Promise<boolean> {
  return directory.resolve(agentId, async ({ tree, agent }) => {
    const [row] = await driver.read(IS_WATCHED, [tree, agent]);
    return row && number(row.watched) === 1;
  });
}

/** Says that somebody watches, for so long as `WATCH_MS`. */
export async function announce(driver: Driver, { tree, agent }: AgentKeys): Promise<void> {
  await driver.write(ANNOUNCE, [tree, agent]);
}

/** The pieces after this one; undefined when there is no such agent. */
export async function readDeltas(
  driver: Driver,
  { tree, agent }: AgentKeys,
  after: number,
): Promise<Piece[] | undefined> {
  const rows = await driver.read(READ_DELTAS, [tree, agent, after]);
  return rows.length > 0 ? piecesOf(rows) : undefined;
}

export function decodeDelta(agentId: string, payload: string): Delta {
  return parseJson(payload, `delta of agent "${agentId}"`) as Delta;
}

function piecesOf(rows: readonly Row[]): Piece[] {
  return rows
    .filter((row) => row.payload !== null)
    .map(({ piece, payload }) => ({ piece: number(piece), payload: String(payload) }))
    .sort((one, other) => one.piece - other.piece);
}
