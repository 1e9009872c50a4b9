import { KodeError } from '../errors.ts';
import { isError } from '../model/foreign.ts';
import { ModelError } from './errors.ts';

const OF_STORE = new Set([
  'STORE_UNAVAILABLE',
  'STORE_BUSY',
  'STORE_CLOSED',
  'LEASE_NOT_HELD',
  'AGENT_NOT_FOUND',
  'CORRUPT_DATA',
  'SCHEMA_VERSION',
]);

/** Whether a store failed, or an agent in it isn't its caller's any more: if it is ours, it takes no word of that. */
export function isOfStore(error: unknown): boolean {
  return error instanceof KodeError && OF_STORE.has(error.code);
}

/** The error, and what it came upon: that one would be lost otherwise. */
export function withCause(error: unknown, cause: unknown): unknown {
  if (!isError(error) || !Object.isExtensible(error)) return error;
  const causes =
    error.cause === undefined ? cause : new AggregateError([error.cause, cause], messageOf(cause));
  return Object.defineProperty(error, 'cause', {
    value: causes,
    configurable: true,
    enumerable: false,
    writable: true,
  });
}

/** A short name of the failure. */
export function codeOf(error: unknown): string {
  try {
    const { code, name } = (error ?? {}) as { code?: unknown; name?: unknown };
    const found = [code, name].find((one) => typeof one === 'string' && /^\w{1,100}$/.test(one));
    return typeof found === 'string' ? found : 'Error';
  } catch {
    return 'Error';
  }
}

/** What to tell the model and the record of a failure: the message, never the stack. */
export function messageOf(error: unknown): string {
  try {
    return foundIn(error);
  } catch {
    // What others throw may be a proxy, or have getters that throw themselves.
    return 'unknown error';
  }
}

function foundIn(error: unknown): string {
  // Error frames of a stream come as plain objects, some with the error in an object of its own.
  const { message, error: inner } = (error ?? {}) as { message?: unknown; error?: { message?: unknown } };
  const name = isError(error) ? error.name : undefined;
  const text = [error, message, inner?.message, name].find((one) => typeof one === 'string' && one !== '');
  return typeof text === 'string' ? text : 'unknown error';
}

function isOurs(error: unknown): error is KodeError {
  try {
    return error instanceof KodeError;
  } catch {
    return false;
  }
}

/** An error of the model SDK as one of ours, with the remedy where there is one. */
export function modelError(error: unknown): KodeError {
  if (isOurs(error)) return error;
  if (codeOf(error) === 'AI_UnsupportedModelVersionError') {
    return new ModelError(
      'The installed version of the package "ai" doesn\'t know this model\'s specification version. Install the pair that belongs together: models of specification v3 with ai 6, of v4 with ai 7.',
      { cause: error },
    );
  }
  if (codeOf(error) === 'AI_DownloadError') {
    return new ModelError(
      `A file that the conversation names by its URL can't be downloaded for the model: ${messageOf(error).replace(/\.$/, '')}. Every run() fails until it can be. To take the input back, close the agent and save its messages without it, with the store's saveMessages(); sent as base64, a file needs no download.`,
      { cause: error },
    );
  }
  return new ModelError(
    `The model's call failed: ${messageOf(error).replace(/\.$/, '')}. Nothing that was committed is lost: go on with run().`,
    { cause: error },
  );
}
