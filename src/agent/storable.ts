import { isMap, isNativeError, isSet, opaqueKind } from '../model/foreign.ts';
import { checkJson } from '../model/json.ts';
import { base64Of, sentOptions } from './translate/values.ts';

/** Something that a provider sent and that can't be stored as it came. */
export interface Repair {
  /** Where it was, as `providerMetadata.google.count`. */
  field: string;
  problem: string;
}

/** Takes down what was repaired, as much of it as anybody reads. */
export class Repairs {
  readonly list: Repair[] = [];

  note(field: string, problem: string): void {
    if (this.list.length < MAX_REPAIRS) this.list.push({ field: field.slice(0, MAX_FIELD), problem });
  }
}

const MAX_REPAIRS = 20;
const MAX_FIELD = 200;
/** Below what the store takes: the value stands within a message. */
const MAX_DEPTH = 900;

/**
 * The value as it can be stored. Providers are programs of others: an answer that was paid for isn't thrown
 * away for a BigInt in its metadata. What JSON can't hold becomes what is nearest to it, or is left out.
 */
export function storable(value: unknown, field: string, repairs: Repairs): unknown {
  try {
    checkJson(value, field);
    return value;
  } catch {
    return clean(value, field, [], repairs);
  }
}

function clean(value: unknown, field: string, within: object[], repairs: Repairs): unknown {
  switch (typeof value) {
    case 'number':
      if (Number.isFinite(value)) return value;
      repairs.note(field, `is ${value}: stored as null`);
      return null;
    case 'bigint':
      repairs.note(field, 'is a BigInt: stored as text');
      return String(value);
    case 'function':
    case 'symbol':
      repairs.note(field, `is a ${typeof value}: left out`);
      return undefined;
    case 'object':
      return value === null ? null : cleanObject(value, field, within, repairs);
    default:
      return value;
  }
}

function cleanObject(value: object, field: string, within: object[], repairs: Repairs): unknown {
  if (within.includes(value) || within.length >= MAX_DEPTH) {
    repairs.note(field, within.includes(value) ? 'is a cycle: left out' : 'is nested too deep: left out');
    return undefined;
  }
  const base64 = base64Of(value);
  if (base64 !== undefined) {
    repairs.note(field, 'is bytes: stored as base64');
    return base64;
  }
  const inner = [...within, value];
  try {
    if (Array.isArray(value)) {
      return Array.from(value, (item, i) => clean(item, `${field}[${i}]`, inner, repairs) ?? null);
    }
    if (isNativeError(value)) return clean({ ...value, message: value.message }, field, within, repairs);
    const { toJSON } = value as { toJSON?: unknown };
    if (typeof toJSON === 'function') return clean(toJSON.call(value, ''), field, inner, repairs);
    const kind = opaqueKind(value);
    if (isMap(value) || isSet(value)) {
      repairs.note(field, `is ${kind}: stored as an array`);
      return clean([...value], field, inner, repairs);
    }
    if (kind !== undefined) {
      repairs.note(field, `is ${kind}: left out`);
      return undefined;
    }
    const entries = Object.keys(value).map((key): [string, unknown] => [
      key,
      cleanField(value as Record<string, unknown>, key, `${field}.${key}`, inner, repairs),
    ]);
    return Object.fromEntries(entries.filter(([, item]) => item !== undefined));
  } catch {
    repairs.note(field, "can't be read: left out");
    return undefined;
  }
}

/** A field that throws when it is read costs itself. */
function cleanField(
  value: Record<string, unknown>,
  key: string,
  field: string,
  within: object[],
  repairs: Repairs,
): unknown {
  let item: unknown;
  try {
    item = value[key];
  } catch {
    repairs.note(field, "can't be read: left out");
    return undefined;
  }
  return clean(item, field, within, repairs);
}

/** What a provider says of a part: values by the provider's name, and nothing that the SDK won't take back. */
export function metadataFrom(
  value: unknown,
  field: string,
  repairs: Repairs,
): Record<string, Record<string, unknown>> | undefined {
  const whole = storable(value, field, repairs);
  const options = sentOptions(whole);
  if (options !== whole) repairs.note(field, "isn't an object of objects: what isn't is left out");
  return options;
}

/** A piece of text: whatever isn't one is taken for what it says. */
export function textFrom(value: unknown, field: string, repairs: Repairs): string {
  if (typeof value === 'string') return value;
  if (value === undefined) return '';
  repairs.note(field, `is no text but ${value === null ? 'null' : `a ${typeof value}`}`);
  return typeof value === 'number' || typeof value === 'bigint' ? String(value) : '';
}

/** A count of tokens: a whole number. One that makes no sense is left out. */
export function countFrom(value: unknown, field: string, repairs: Repairs): number | undefined {
  if (value === undefined) return undefined;
  const count = typeof value === 'bigint' ? Number(value) : value;
  if (typeof count === 'number' && count >= 0 && count <= Number.MAX_SAFE_INTEGER) {
    if (Number.isInteger(count)) return count;
    repairs.note(field, `is ${count}: rounded`);
    return Math.round(count);
  }
  const shown = typeof value === 'number' || typeof value === 'bigint' ? String(value) : `a ${typeof value}`;
  repairs.note(field, `is ${value === null ? 'null' : shown}: left out`);
  return undefined;
}
