import { ValidationError } from '../errors.ts';
import { checkObject, describe } from '../model/ids.ts';
import { reading } from '../model/json.ts';
import { listOf } from '../model/lists.ts';

/** A list of objects, copied. */
export function checkObjects<T extends object>(field: string, list: readonly T[]): T[] {
  return reading(field, () => {
    if (!Array.isArray(list)) throw new ValidationError(field, `must be an array, not ${describe(list)}`);
    return listOf<T>(field, list, (item, name) => checkObject(name, item));
  });
}
