import { CorruptDataError } from '../errors.ts';

/** Parses stored JSON text; `where` names its place for the error. */
export function parseJson(value: unknown, where: string | (() => string)): unknown {
  try {
    return JSON.parse(String(value));
  } catch (cause) {
    const place = typeof where === 'string' ? where : where();
    throw new CorruptDataError(
      `The stored JSON of ${place} can't be parsed: what is stored is damaged or was changed from outside. Restore it from a backup.`,
      { cause },
    );
  }
}
