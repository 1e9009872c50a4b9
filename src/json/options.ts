import { StoreConfigError } from '../errors.ts';
import type { JSONStoreOptions } from '../store/config.ts';
import { checkHolderOption } from '../store/holder-option.ts';
import { type Modes, modesOf } from '../store/modes.ts';
import type { Durability } from './log-file.ts';

const KNOWN = ['durability', 'readOnly', 'fileMode', 'holder'];

/** The options, complete. */
export interface Settings {
  readonly durability: Durability;
  readonly readOnly: boolean;
  readonly modes: Modes;
  readonly holder: string | undefined;
}

export function settingsOf(options: JSONStoreOptions): Settings {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw new StoreConfigError('options must be an object.');
  }
  for (const key of Object.keys(options)) {
    if (!KNOWN.includes(key)) {
      throw new StoreConfigError(
        `options.${key} is no option of a JSONStore; those are ${KNOWN.join(', ')}.`,
      );
    }
  }
  const { durability = 'full', readOnly = false } = options;
  if (durability !== 'full' && durability !== 'normal') {
    throw new StoreConfigError('options.durability must be "full" or "normal".');
  }
  if (typeof readOnly !== 'boolean') throw new StoreConfigError('options.readOnly must be true or false.');
  const holder = checkHolderOption(options.holder);
  return { durability, readOnly, holder, modes: modesOf(options.fileMode) };
}
