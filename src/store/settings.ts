import { KodeError, StoreConfigError } from '../errors.ts';
import { messageOf } from '../model/foreign.ts';
import { fieldsOf, type KnownKeys } from '../model/known-keys.ts';

/** Reads what a store is made with: whatever is wrong with it is wrong with the configuration. */
export function configuring<T>(name: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (cause instanceof StoreConfigError) throw cause;
    const problem =
      cause instanceof KodeError ? cause.message : `${name}: can't be read: ${messageOf(cause)}`;
    throw new StoreConfigError(`${problem}.`, { cause });
  }
}

/** The options of a store, with known keys alone; what isn't a string key (a clock for tests) is left where it is. */
export function optionsOf<T extends object>(options: T | undefined, known: KnownKeys, name = 'options'): T {
  return configuring(name, () => fieldsOf(name, options === undefined ? ({} as T) : options, known));
}
