import type { BackendName } from '../result.ts';
import type { Counts } from './counts.ts';

/** What a side's process is started with. */
export interface Place {
  entry: string;
  backend: BackendName;
  /** A folder of its own; for PostgreSQL a schema of its own besides. */
  folder: string;
  url: string;
  schema: string;
  quick: boolean;
}

/** What it is asked to do. */
export interface Errand {
  workload: string;
  what: 'prepare' | 'time' | 'count';
}

export interface Report {
  /** Milliseconds. */
  time?: number;
  counts?: Counts;
  error?: string;
}
