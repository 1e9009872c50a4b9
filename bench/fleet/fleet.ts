import type { ExtendedStore } from '../../src/store/store.ts';

/** Many agents with a conversation each, in a store, and the same rows in tables of the bare driver. */
export interface Fleet {
  readonly agents: number;
  readonly store: ExtendedStore;
  readonly raw: RawReader;
  /** How another process opens the same. */
  readonly place: FleetPlace;
  /** Counts the rows of one of the store's own tables by reading all of it. */
  fullScan(table: 'messages' | 'tool_calls'): Promise<number> | number;
  close(): Promise<void>;
}

export type FleetPlace =
  | { backend: 'sqlite'; path: string; rawPath: string }
  | { backend: 'postgres'; url: string; schema: string; rawSchema: string };

export type RawRow = Record<string, string | number | null>;

/** The bare driver, with prepared statements. Texts have `?` for a parameter and `{messages}` for a table. */
export interface RawReader {
  all(text: string, params: readonly (string | number)[]): Promise<RawRow[]> | RawRow[];
  /** Rows by the thousand, from the database's own cursor. */
  cursor(text: string): AsyncIterable<RawRow[]>;
  close(): Promise<void>;
}

export const CURSOR_ROWS = 1_000;
