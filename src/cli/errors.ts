import { KodeError } from '../errors.ts';
import { messageOf } from '../model/foreign.ts';

/** They reorder what stands around them on screen. */
const BIDI_CONTROLS = /[\u202a-\u202e\u2066-\u2069]/g;

/** What was given to the command (a file, a pair of flags) can't be worked with. */
export class InputError extends KodeError {
  constructor(message: string, options?: { cause?: unknown }) {
    super('INPUT', message, options);
  }
}

/** The flags make no sense together; ends with the status of a usage error. */
export class UsageError extends KodeError {
  constructor(message: string) {
    super('USAGE', message);
  }
}

/** An error as one line, whatever its message holds. */
export function errorLine(error: unknown): string {
  const message = messageOf(error);
  const text = error instanceof KodeError ? message : `unexpected failure: ${message}`;
  return `error: ${oneLine(text)}`;
}

/** Text from outside as a single line that can't steer the terminal. */
export function oneLine(text: string): string {
  return text
    .replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ')
    .replace(BIDI_CONTROLS, '')
    .trim();
}
