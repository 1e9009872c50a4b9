import { StoreConfigError, ValidationError } from '../errors.ts';
import { validateName } from '../model/ids.ts';

/** The name under which leases are held, as an option of a call. */
export function checkHolder(holder: unknown): string | undefined {
  if (holder === undefined) return undefined;
  validateName('holder', holder);
  return holder;
}

/** The same as an option of a store. */
export function checkHolderOption(holder: unknown): string | undefined {
  try {
    return checkHolder(holder);
  } catch (error) {
    if (!(error instanceof ValidationError)) throw error;
    throw new StoreConfigError(`options.${error.message}`);
  }
}
