import { StoreConfigError } from '../errors.ts';
import { DEFAULT_MAX_QUEUED_WRITES } from './write-queue.ts';

export interface SqliteOptions {
  /**
   * `full` (default): an acknowledged commit survives a power cut. `normal`: it survives a crash of the
   * process, and the last commits may be lost with the power.
   */
  durability?: 'full' | 'normal' | undefined;
  /** How long to wait for other processes that write to the file, in milliseconds. Default 5,000. */
  busyTimeoutMs?: number | undefined;
  /** Writes that may wait at a time; one more is a `StoreBusyError`. Default 100,000. */
  maxQueuedWrites?: number | undefined;
}

/** The options, complete. */
export interface Settings {
  readonly durability: 'full' | 'normal';
  readonly busyTimeoutMs: number;
  readonly maxQueuedWrites: number;
}

export const DEFAULT_BUSY_TIMEOUT_MS = 5_000;

export function settingsOf(options: SqliteOptions): Settings {
  const {
    durability = 'full',
    busyTimeoutMs = DEFAULT_BUSY_TIMEOUT_MS,
    maxQueuedWrites = DEFAULT_MAX_QUEUED_WRITES,
  } = options;
  if (durability !== 'full' && durability !== 'normal') {
    throw new StoreConfigError('options.durability must be "full" or "normal".');
  }
  if (!Number.isFinite(busyTimeoutMs) || busyTimeoutMs < 0) {
    throw new StoreConfigError('options.busyTimeoutMs must be a number of milliseconds, 0 or more.');
  }
  if (!Number.isInteger(maxQueuedWrites) || maxQueuedWrites < 1) {
    throw new StoreConfigError('options.maxQueuedWrites must be a whole number, 1 or more.');
  }
  return { durability, busyTimeoutMs, maxQueuedWrites };
}
