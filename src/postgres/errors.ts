import { GivenUp } from './given-up.ts';

/** Words of pg's pool: there is no code for it. */
const CONNECTION_TIMEOUT =
  /timeout exceeded when trying to connect|Connection terminated due to connection timeout/;

/** What errors of the driver, of the server and of Node have in common, in whichever realm they were made. */
export interface DriverError {
  code?: unknown;
  /** In the server's language: `lc_messages`. */
  severity?: unknown;
  message: string;
  /** Where in the server's source it comes from. */
  file?: unknown;
  constraint?: unknown;
}

/** SQLSTATEs after which the same transaction may succeed: serialization failure and deadlock. */
export function isRetryable(error: unknown): boolean {
  const code = codeOf(error);
  return code === '40001' || code === '40P01';
}

/** A pooler gave this session to somebody else: named statements can't be relied on. */
export function isLostStatement(error: unknown): boolean {
  const code = codeOf(error);
  return code === '26000' || code === '42P05';
}

/** The server has cancelled the statement. */
export function isCancelled(error: unknown): boolean {
  return codeOf(error) === '57014';
}

/** Unique violation, serialization failure, deadlock, lock_timeout, statement_timeout. */
const NORMAL_WORK = new Set(['23505', '40001', '40P01', '55P03', '57014']);

/**
 * Errors of normal work, which say nothing about the session: an id is taken, others were first. Any other
 * error may be the session's own: it ended, a statement still runs on it, others left it in a transaction or
 * under a role, the server became a replica, a prepared plan is outdated. Only a new session is free of that.
 */
export function sparesSession(error: unknown): boolean {
  return NORMAL_WORK.has(codeOf(error)) && !mayEndSession(error);
}

/**
 * A replica that ends a session for its recovery calls that a serialization failure; the other codes of normal work
 * never end one. The severity would say it, in the server's language; `pg` leaves out the one that is always in
 * English. Serialization failures of transactions don't come from the loop that serves the session.
 */
function mayEndSession(error: unknown): boolean {
  const { severity, file } = asDriverError(error) ?? {};
  return severity === 'FATAL' || (codeOf(error) === '40001' && file === 'postgres.c');
}

/** SQLSTATEs are five characters; an error without one didn't come from the server. */
export function isServersWord(error: unknown): boolean {
  return /^[0-9A-Z]{5}$/.test(codeOf(error)) && asDriverError(error)?.severity !== undefined;
}

/**
 * The server says that the statement failed, so nothing of it is stored. Where it ends the session, or a pooler
 * speaks for it, the statement may have been through already.
 */
export function saysNothingStored(error: unknown): boolean {
  if (error instanceof GivenUp) return error.answered;
  if (!isServersWord(error) || ENDS_SESSION.test(codeOf(error))) return false;
  const severity = String(asDriverError(error)?.severity);
  if (/^(FATAL|PANIC)$/.test(severity)) return false;
  // In another language than English there is no telling an error from a panic, which these can be.
  return severity === 'ERROR' || !MAY_BE_PANIC.test(codeOf(error));
}

/** Connection exceptions, and operator intervention other than a cancelled statement. */
const ENDS_SESSION = /^(08|57P)/;
/** Full disk and other resources, input and output, internal errors, damage. */
const MAY_BE_PANIC = /^(53|58|F0|XX)/;

/** The pool had no connection to give for as long as it waits. */
export function isConnectionTimeout(error: unknown): boolean {
  return CONNECTION_TIMEOUT.test(asDriverError(error)?.message ?? '');
}

/** By its shape: under Jest, or in a vm context, errors of Node are no instances of the `Error` that is here. */
export function asDriverError(error: unknown): DriverError | undefined {
  if (typeof error !== 'object' || error === null) return undefined;
  return typeof (error as { message?: unknown }).message === 'string' ? (error as DriverError) : undefined;
}

export function codeOf(error: unknown): string {
  const code = asDriverError(error)?.code;
  return typeof code === 'string' ? code : '';
}
