import type { Pool } from 'pg';
import { StoreConfigError } from '../errors.ts';
import { knownKeys } from '../model/known-keys.ts';
import type { PostgresConnection, PostgresSettings } from '../store/config.ts';
import { optionsOf } from '../store/settings.ts';

/** Options of a store on a PostgreSQL server. */
export interface PostgresOptions extends PostgresSettings {
  /**
   * Where queries, iterators and statistics read: a replica of the same database, for example. What it
   * hasn't received yet is missing there; loading, committing and following events use the primary.
   */
  readConnection?: PostgresConnection | string | Pool | undefined;
}

/** The options that have a default, complete. */
export interface Settings {
  readonly prepare: 'auto' | boolean;
  readonly callTimeoutMs: number;
  readonly maxQueuedCalls: number;
}

export const DEFAULT_CALL_TIMEOUT_MS = 10_000;
export const DEFAULT_MAX_QUEUED_CALLS = 100_000;
/** Timers of Node take no more. */
const MAX_TIMER_MS = 2 ** 31 - 1;

const OPTIONS = knownKeys<PostgresOptions>('is no option of a PostgreSQL store', {
  schema: true,
  prepare: true,
  readConnection: true,
  callTimeoutMs: true,
  maxQueuedCalls: true,
  holder: true,
});

/** With known keys alone, and read once. */
export function checkOptions(options: PostgresOptions): PostgresOptions {
  return optionsOf(options, OPTIONS);
}

export function settingsOf(options: PostgresOptions): Settings {
  const {
    prepare = 'auto',
    callTimeoutMs = DEFAULT_CALL_TIMEOUT_MS,
    maxQueuedCalls = DEFAULT_MAX_QUEUED_CALLS,
  } = options;
  if (prepare !== 'auto' && typeof prepare !== 'boolean') {
    throw new StoreConfigError('options.prepare must be "auto", true or false.');
  }
  if (!Number.isInteger(callTimeoutMs) || callTimeoutMs < 1 || callTimeoutMs > MAX_TIMER_MS) {
    throw new StoreConfigError(
      `options.callTimeoutMs must be a whole number of milliseconds from 1 to ${MAX_TIMER_MS}.`,
    );
  }
  if (!Number.isInteger(maxQueuedCalls) || maxQueuedCalls < 1) {
    throw new StoreConfigError('options.maxQueuedCalls must be a whole number, 1 or more.');
  }
  return { prepare, callTimeoutMs, maxQueuedCalls };
}
