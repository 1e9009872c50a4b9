import { StoreConfigError } from '../errors.ts';
import { knownKeys } from '../model/known-keys.ts';
import type { SqliteOptions } from '../store/config.ts';
import { checkHolderOption } from '../store/holder-option.ts';
import { type Modes, modesOf } from '../store/modes.ts';
import { optionsOf } from '../store/settings.ts';
import { DEFAULT_MAX_QUEUED_WRITES } from './write-queue.ts';

/** The options, complete. */
export interface Settings {
  readonly durability: 'full' | 'normal';
  readonly busyTimeoutMs: number;
  readonly maxQueuedWrites: number;
  readonly modes: Modes;
  readonly holder: string | undefined;
  readonly adopt: boolean;
}

export const DEFAULT_BUSY_TIMEOUT_MS = 5_000;

const OPTIONS = knownKeys<SqliteOptions>('is no option of a SQLite store', {
  durability: true,
  busyTimeoutMs: true,
  maxQueuedWrites: true,
  fileMode: true,
  holder: true,
  adopt: true,
});

export function settingsOf(given: SqliteOptions): Settings {
  const options = optionsOf(given, OPTIONS);
  const {
    durability = 'full',
    busyTimeoutMs = DEFAULT_BUSY_TIMEOUT_MS,
    maxQueuedWrites = DEFAULT_MAX_QUEUED_WRITES,
    adopt = false,
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
  const holder = checkHolderOption(options.holder);
  if (typeof adopt !== 'boolean') throw new StoreConfigError('options.adopt must be true or false.');
  return { durability, busyTimeoutMs, maxQueuedWrites, holder, modes: modesOf(options.fileMode), adopt };
}
