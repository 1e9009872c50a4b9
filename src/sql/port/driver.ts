import type { Clock } from '../../model/clock.ts';
import type { DatabaseTime } from '../../model/database-time.ts';
import type { CheckedBackup } from '../../store/arguments.ts';
import type { Batch, BatchOutcome } from './batch.ts';
import type { Dialect } from './dialect.ts';
import type { Shape, Statement } from './statement.ts';
import type { Row, SqlValue } from './values.ts';

/** A row of each shape that a statement can ask for. */
export interface Shapes {
  objects: Row;
  arrays: SqlValue[];
  values: SqlValue;
}

/** What a script asks for: the rows of a statement, or the outcome of a batch within its transaction. */
export type Step =
  | { readonly statement: Statement<Shape>; readonly params: readonly SqlValue[] }
  | { readonly batch: Batch };

/**
 * A transaction written as a generator: it yields statements and receives their rows. Because it can't
 * await anything else, a synchronous driver runs it from BEGIN to COMMIT without giving way, and nothing
 * of it can slip outside of the transaction.
 */
export type Script<T> = Generator<Step, T, Shapes[Shape][] | BatchOutcome>;

/** One statement of a script: `const rows = yield* run(loadHead, [tree, agent])`. */
export function* run<S extends Shape>(
  statement: Statement<S>,
  params: readonly SqlValue[],
): Script<Shapes[S][]> {
  return (yield { statement, params }) as Shapes[S][];
}

/** A batch as a part of a script. If it is refused nothing of it was written, and the script decides. */
export function* runBatch(batch: Batch): Script<BatchOutcome> {
  return (yield { batch }) as BatchOutcome;
}

/**
 * How long each statement may take, where it isn't the database's default: so many milliseconds, if that is less;
 * or, for what may rightly take long, until the signal aborts, if there is one.
 */
export type Bounds = { readonly timeoutMs: number } | { readonly until: AbortSignal | undefined };

/** The only thing a database has to provide. Every error that leaves it is one of our classes. */
export interface Driver {
  readonly dialect: Dialect;

  /** The clock of this machine: of deadlines. Expiries are judged by the dialect's `{now}`. */
  readonly clock: Clock;

  /** The database's clock, as far as it is known without asking: of stamps. */
  readonly time: DatabaseTime;

  /** One statement that reads, outside of a transaction. */
  read<S extends Shape>(statement: Statement<S>, params: readonly SqlValue[]): Promise<Shapes[S][]>;

  /** One statement that writes, in a transaction of its own; returns what it RETURNs. */
  write(statement: Statement, params: readonly SqlValue[]): Promise<Row[]>;

  /** The same for what has to go through in time, whatever else waits: the renewal of leases. */
  urgent(statement: Statement, params: readonly SqlValue[]): Promise<Row[]>;

  /** Keeps a way free for `urgent` while leases are held, until it is let go of by calling what it returns. */
  keepUrgent(): () => void;

  /** The same database with other bounds. Where nothing else could answer, it is the database itself. */
  bounded(bounds: Bounds): Driver;

  /** Several reads of one moment. */
  snapshot<T>(script: () => Script<T>): Promise<T>;

  /** The same where it may go through much of the database: it holds up nobody else, wherever it runs. */
  analyse<T>(script: () => Script<T>): Promise<T>;

  /** The hot path: a guarded list of table operations, atomic, without user code; one round trip. */
  batch(batch: Batch): Promise<BatchOutcome>;

  /** A read-then-write transaction. Run again from the start when the database says so. */
  transact<T>(script: () => Script<T>): Promise<T>;

  /** Reserves blocks of `KEY_BLOCK` integer keys that are never given out again; returns the first of each. */
  reserveKeys(blocks: number): Promise<number[]>;

  /** Wakes those who subscribed, in any process. */
  notify(): Promise<void>;

  /** Calls back after a change of events that this process didn't necessarily make; may be spurious. */
  subscribe(onChange: () => void): () => void;

  /** A consistent copy of the database while it is in use. */
  backup(backup: CheckedBackup & { path: string }): Promise<void>;

  /** What the database itself finds wrong with what it is made of, where it can say. */
  damage?(level: 'quick' | 'full'): Promise<string[]>;

  /** Throws if what is open isn't what its users find under its name any more. */
  present?(): Promise<void>;

  /** Ends all that is under way, whoever waits for it. */
  endAll(): void;

  close(): Promise<void>;
}

/** Number of keys in a block that `reserveKeys` gives. */
export const KEY_BLOCK = 64;

/** A value that violated a unique key. Caught inside of `src/sql`; it never reaches a caller. */
export class UniqueViolation extends Error {
  readonly table: string;

  constructor(table: string, cause: unknown) {
    super(`A row of ${table} exists already`, { cause });
    this.table = table;
  }
}
