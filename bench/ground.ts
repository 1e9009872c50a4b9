import type { ExtendedStore, Store } from '../src/store/store.ts';
import type { Fleet } from './fleet/fleet.ts';
import type { RawDatabase } from './raw/raw.ts';
import type { BackendName } from './result.ts';

export interface GroundOptions {
  /** What the store asks of its database is counted, which makes it slower. */
  counted?: boolean;
  durability?: 'full' | 'normal';
}

/** An empty store, and beside it an empty database for the bare driver, on the same disk or server. */
export interface Ground {
  readonly store: Store;
  readonly raw: RawDatabase;
  readonly inspect: Inspector;
  /** For what only the SQL stores offer. */
  extended(): ExtendedStore;
  /** A further store on the same database, opened as another process would; the caller closes it. */
  another(): Promise<ExtendedStore>;
  close(): Promise<void>;
}

/** Looks at the store's database from outside. */
export interface Inspector {
  /** Bytes written to the log since some moment in the past; undefined where there is no log to measure. */
  logged(): Promise<number>;
  /** Bytes that the store's tables and indexes take. */
  size(): Promise<number>;
  /** From now on: how often a row of this table was inserted, changed or removed. Slows writes down. */
  countWrites(table: string): Promise<() => Promise<number>>;
  /** Of a counted ground: round trips to the server so far, or transactions begun in the file. */
  requests(): number;
  /** Transactions that were committed, and with that synced, so far. */
  commits(): Promise<number>;
}

export interface Target {
  readonly name: BackendName;
  /** What runs, for the report: "SQLite 3.50.2". */
  readonly version: string;
  open(options?: GroundOptions): Promise<Ground>;
  /** Many agents, made once and shared by the workloads. */
  fleet(agents: number): Promise<Fleet>;
  close(): Promise<void>;
}
