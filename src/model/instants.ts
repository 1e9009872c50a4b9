import { ValidationError } from '../errors.ts';
import { isDate, timeOf } from './foreign.ts';
import { describe } from './ids.ts';

const ISO_8601 = /^\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:?\d{2}))?$/;

/** The largest instant that a Date can hold, in epoch milliseconds. */
const MAX_INSTANT = 8.64e15;

/**
 * Epoch milliseconds of a Date, a number, or an ISO 8601 string. A string needs a zone, because a time
 * without one would mean something else on every host; a plain date is UTC, as in ECMAScript.
 */
export function toInstant(field: string, value: unknown): number {
  if (isDate(value)) return checked(field, timeOf(value));
  if (typeof value === 'number') return checked(field, value);
  if (typeof value === 'string') {
    if (!ISO_8601.test(value) || !isDay(value)) {
      throw new ValidationError(
        field,
        'must be an ISO 8601 date, or date and time with a zone ("2025-01-31T08:00:00Z")',
      );
    }
    return checked(field, Date.parse(value));
  }
  throw new ValidationError(
    field,
    `must be a Date, epoch milliseconds or an ISO 8601 string, not ${describe(value)}`,
  );
}

/** `Date.parse` takes February 30 for March 2. */
function isDay(iso: string): boolean {
  const day = iso.slice(0, 10);
  const midnight = Date.parse(day);
  return Number.isFinite(midnight) && new Date(midnight).toISOString().startsWith(day);
}

function checked(field: string, ms: number): number {
  if (!Number.isFinite(ms) || Math.abs(ms) > MAX_INSTANT)
    throw new ValidationError(field, 'is not a valid instant');
  return Math.trunc(ms);
}
