import { ValidationError } from '../errors.ts';
import { type Delta, DOCUMENT_KINDS, type DocumentKind, type LeaseToken } from '../model/agent.ts';
import { checkText, ordinal } from '../model/call-update.ts';
import type { Decision } from '../model/decided-call.ts';
import { checkLease, type EncodedDocument } from '../model/encode-commit.ts';
import {
  describe,
  generateAgentId,
  validateAgentId,
  validateCallName,
  validateId,
  validateName,
} from '../model/ids.ts';
import { encodeJson } from '../model/json.ts';
import { checkHolder } from './holder-option.ts';
import type {
  ApprovalDecision,
  BackupOptions,
  ClaimOptions,
  ForkOptions,
  LeaseOptions,
  WatchOptions,
  WriteOptions,
} from './store.ts';
import { checkSince } from './validate-filter.ts';

/** A snapshot's id, or the number of messages to keep; undefined for all. */
export type ForkPosition = string | number | undefined;

export interface CheckedFork {
  at: ForkPosition;
  /** Of the new agent. */
  agentId: string;
}

export interface CheckedLease {
  ttlMs: number;
  waitMs: number;
  holder: string | undefined;
}

export interface CheckedClaim {
  limit: number;
  ttlMs: number;
  holder: string | undefined;
}

export interface CheckedWatch {
  /** The cursor after which the events come. */
  since: number;
  signal: AbortSignal | undefined;
}

export interface CheckedBackup {
  /** Undefined for a place of the store's own choice. */
  path: string | undefined;
  overwrite: boolean;
  signal: AbortSignal | undefined;
}

export interface CheckedDecision extends Decision {
  toolCallId: string;
  callSeq: number | undefined;
}

export const DEFAULT_TTL_MS = 15_000;
export const MIN_TTL_MS = 50;
export const MAX_TTL_MS = 24 * 60 * 60 * 1_000;
/** Forks of one `batchFork`: all of them are one transaction. */
export const MAX_FORKS = 10_000;
export const MAX_DOCUMENT_NAME_BYTES = 1_024;

/** What a narrow call is about: leaving it out would say nothing. */
export function checkGiven<T>(field: string, value: T): NonNullable<T> {
  if (value === undefined || value === null) {
    throw new ValidationError(field, `must be given, and not be ${describe(value)}`);
  }
  return value;
}

export function checkWriteOptions(
  agentId: string,
  options: WriteOptions | undefined,
): LeaseToken | undefined {
  if (options === undefined) return undefined;
  checkObject('options', options);
  return checkLease(agentId, options.lease);
}

/** JSON text. */
export function checkDelta(delta: Delta): string {
  checkObject('delta', delta);
  return encodeJson(delta, 'delta');
}

export function checkFork(options: ForkOptions | undefined): CheckedFork {
  if (options === undefined) return { at: undefined, agentId: generateAgentId() };
  checkObject('options', options);
  const { at, agentId = generateAgentId() } = options;
  checkPosition(at);
  validateAgentId(agentId);
  return { at, agentId };
}

function checkPosition(at: unknown): void {
  if (at === undefined) return;
  if (typeof at === 'string') {
    validateId('at', at);
  } else if (typeof at !== 'number' || !Number.isSafeInteger(at) || at < 0) {
    throw new ValidationError('at', "must be a snapshot's id or a whole number of messages, 0 or more");
  }
}

/** Ids for so many new agents. */
export function checkForkCount(count: unknown): string[] {
  if (typeof count !== 'number' || !Number.isSafeInteger(count) || count < 1 || count > MAX_FORKS) {
    throw new ValidationError('count', `must be a whole number from 1 to ${MAX_FORKS}`);
  }
  return Array.from({ length: count }, () => generateAgentId());
}

export function checkDocument(document: {
  kind: DocumentKind;
  name: string;
  content: unknown;
}): EncodedDocument {
  checkObject('document', document);
  return {
    kind: checkDocumentKind(document.kind),
    name: checkDocumentName(document.name),
    payload: encodeJson(document.content, 'content'),
  };
}

export function checkDocumentKind(kind: unknown): DocumentKind {
  const known = DOCUMENT_KINDS.find((one) => one === kind);
  if (!known) throw new ValidationError('kind', `must be one of ${DOCUMENT_KINDS.join(', ')}`);
  return known;
}

export function checkDocumentName(name: unknown): string {
  validateName('name', name, MAX_DOCUMENT_NAME_BYTES);
  return name;
}

/** Options, or a number of milliseconds as time to live. */
export function checkLeaseOptions(options: LeaseOptions | number | undefined): CheckedLease {
  if (options === undefined || typeof options === 'number') {
    return { ttlMs: checkTtl(options), waitMs: 0, holder: undefined };
  }
  if (typeof options !== 'object' || options === null) {
    throw new ValidationError(
      'options',
      `must be an object, or a number of milliseconds, not ${describe(options)}`,
    );
  }
  const { ttlMs, waitMs, holder } = options;
  return { ttlMs: checkTtl(ttlMs), waitMs: checkWait(waitMs), holder: checkHolder(holder) };
}

export function checkClaim(options: ClaimOptions): CheckedClaim {
  checkObject('options', options);
  const { limit, ttlMs, holder } = options;
  if (!Number.isSafeInteger(limit) || limit < 1) {
    throw new ValidationError('limit', 'must be a whole number, 1 or more');
  }
  return { limit, ttlMs: checkTtl(ttlMs), holder: checkHolder(holder) };
}

function checkTtl(value: unknown = DEFAULT_TTL_MS): number {
  if (typeof value !== 'number' || !(value >= MIN_TTL_MS && value <= MAX_TTL_MS)) {
    throw new ValidationError(
      'ttlMs',
      `must be a number of milliseconds from ${MIN_TTL_MS} to ${MAX_TTL_MS}`,
    );
  }
  return Math.round(value);
}

function checkWait(value: unknown = 0): number {
  if (typeof value !== 'number' || !Number.isFinite(value) || value < 0) {
    throw new ValidationError('waitMs', 'must be a number of milliseconds, 0 or more');
  }
  return value;
}

export function checkDecision(toolCallId: unknown, decision: ApprovalDecision): CheckedDecision {
  validateCallName('toolCallId', toolCallId);
  checkObject('decision', decision);
  const { decision: verdict, by, note, callSeq } = decision;
  if (verdict !== 'allow' && verdict !== 'deny') {
    throw new ValidationError('decision', 'must be "allow" or "deny"');
  }
  return {
    toolCallId,
    decision: verdict,
    by: by === undefined ? undefined : checkText('by', by),
    note: note === undefined ? undefined : checkText('note', note),
    callSeq: callSeq === undefined ? undefined : ordinal('callSeq', callSeq),
  };
}

export function checkWatch(options: WatchOptions | undefined): CheckedWatch {
  if (options === undefined) return { since: 0, signal: undefined };
  checkObject('options', options);
  const { since = 0, signal } = options;
  return { since: checkSince('since', since), signal };
}

export function checkPrefix(prefix: unknown): string {
  if (prefix === undefined || prefix === '') return '';
  validateName('prefix', prefix);
  return prefix;
}

export function checkBackup(path: unknown, options: BackupOptions | undefined): CheckedBackup {
  if (path !== undefined && (typeof path !== 'string' || path === '')) {
    throw new ValidationError('path', `must be the path of a file, not ${describe(path)}`);
  }
  if (options === undefined) return { path, overwrite: false, signal: undefined };
  checkObject('options', options);
  const { overwrite = false, signal } = options;
  if (typeof overwrite !== 'boolean') throw new ValidationError('overwrite', 'must be true or false');
  return { path, overwrite, signal: checkSignal(signal) };
}

/** By its shape: it may be of another realm. */
function checkSignal(signal: unknown): AbortSignal | undefined {
  if (signal === undefined) return undefined;
  const { aborted, addEventListener } = (signal ?? {}) as Partial<AbortSignal>;
  if (typeof aborted === 'boolean' && typeof addEventListener === 'function') return signal as AbortSignal;
  throw new ValidationError('signal', `must be an AbortSignal, not ${describe(signal)}`);
}

function checkObject(field: string, value: unknown): asserts value is object {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new ValidationError(field, `must be an object, not ${describe(value)}`);
  }
}
