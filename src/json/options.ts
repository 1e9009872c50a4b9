import { StoreConfigError } from '../errors.ts';
import { knownKeys } from '../model/known-keys.ts';
import type { JSONStoreOptions } from '../store/config.ts';
import { checkHolderOption } from '../store/holder-option.ts';
import { type Modes, modesOf } from '../store/modes.ts';
import { optionsOf } from '../store/settings.ts';
import type { Durability } from './log-file.ts';

const OPTIONS = knownKeys<JSONStoreOptions>('is no option of a JSONStore', {
  durability: true,
  readOnly: true,
  fileMode: true,
  holder: true,
});

/** The options, complete. */
export interface Settings {
  readonly durability: Durability;
  readonly readOnly: boolean;
  readonly modes: Modes;
  readonly holder: string | undefined;
}

export function settingsOf(given: JSONStoreOptions): Settings {
  const options = optionsOf(given, OPTIONS);
  const { durability = 'full', readOnly = false } = options;
  if (durability !== 'full' && durability !== 'normal') {
    throw new StoreConfigError('options.durability must be "full" or "normal".');
  }
  if (typeof readOnly !== 'boolean') throw new StoreConfigError('options.readOnly must be true or false.');
  const holder = checkHolderOption(options.holder);
  return { durability, readOnly, holder, modes: modesOf(options.fileMode) };
}
