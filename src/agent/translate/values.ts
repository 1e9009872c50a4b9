import { isArrayBuffer, isUint8Array, isUrl } from '../../model/foreign.ts';
import type { ModelProviderOptions } from './model-message.ts';

/** Whether a value is an object that is no array. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The provider options of a block, part or message, to be spread into its counterpart. */
export function optionsOf(source: { providerOptions?: unknown }): { providerOptions?: ModelProviderOptions } {
  // Verbatim: only the provider knows what it means.
  const providerOptions = sentOptions(source.providerOptions);
  return providerOptions === undefined ? {} : { providerOptions };
}

/** Options by provider: the SDK refuses a prompt with any others. The value itself, where it is as it should be. */
export function sentOptions(value: unknown): ModelProviderOptions | undefined {
  if (!isObject(value)) return undefined;
  const entries = Object.entries(value);
  const kept = entries.filter(([, options]) => isObject(options));
  if (kept.length === entries.length) return value as ModelProviderOptions;
  return kept.length === 0 ? undefined : (Object.fromEntries(kept) as ModelProviderOptions);
}

/** Bytes as base64; `undefined` for anything else. */
export function base64Of(data: unknown): string | undefined {
  if (isArrayBuffer(data)) return Buffer.from(data).toString('base64');
  if (!isUint8Array(data)) return undefined;
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('base64');
}

/** A value of the SDK's as it can be stored: bytes as base64, URLs as text, nothing that is `undefined`. */
export function jsonable(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (isUrl(value)) return value.href;
  const base64 = base64Of(value);
  if (base64 !== undefined) return base64;
  if (Array.isArray(value)) return value.map(jsonable);
  const prototype: unknown = Object.getPrototypeOf(value);
  // Anything but a plain object, of whatever realm, is for the store to refuse.
  if (prototype !== null && Object.getPrototypeOf(prototype) !== null) return value;
  const entries = Object.entries(value).filter(([, item]) => item !== undefined);
  return Object.fromEntries(entries.map(([key, item]) => [key, jsonable(item)]));
}
