import { ValidationError } from '../errors.ts';
import {
  type AgentDocument,
  type Delta,
  DOCUMENT_KINDS,
  type DocumentKind,
  type LeaseToken,
} from '../model/agent.ts';
import { checkText, ordinal } from '../model/call-update.ts';
import type { Decision } from '../model/decided-call.ts';
import { checkLease, type EncodedDocument } from '../model/encode-commit.ts';
import { encodeObject } from '../model/encode-info.ts';
import { isAbortSignal, ownSignal } from '../model/foreign.ts';
import {
  describe,
  generateAgentId,
  validateAgentId,
  validateCallName,
  validateId,
  validateName,
} from '../model/ids.ts';
import { encodeJson, reading } from '../model/json.ts';
import { fieldsOf, knownKeys } from '../model/known-keys.ts';
import { checkHolder } from './holder-option.ts';
import type {
  ApprovalDecision,
  BackupOptions,
  ClaimOptions,
  ConsistencyOptions,
  ConsistencyProgress,
  ForkOptions,
  LeaseOptions,
  LongCallOptions,
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
  maxAttempts: number;
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

export interface CheckedCheck {
  /** Undefined for everything. */
  agentId: string | undefined;
  level: 'quick' | 'full';
  signal: AbortSignal | undefined;
  onProgress: (progress: ConsistencyProgress) => void;
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

const NO_OPTION = 'is no option of this call';

const WRITE_KEYS = knownKeys<WriteOptions>(NO_OPTION, { lease: true });

export function checkWriteOptions(
  agentId: string,
  options: WriteOptions | undefined,
): LeaseToken | undefined {
  if (options === undefined) return undefined;
  const { lease } = fieldsOf('options', options, WRITE_KEYS);
  return reading('lease', () => checkLease(agentId, lease));
}

/** JSON text. */
export function checkDelta(delta: Delta): string {
  return encodeObject('delta', delta);
}

const FORK_KEYS = knownKeys<ForkOptions>(NO_OPTION, { at: true, agentId: true });

export function checkFork(options: ForkOptions | undefined): CheckedFork {
  if (options === undefined) return { at: undefined, agentId: generateAgentId() };
  const { at, agentId = generateAgentId() } = fieldsOf('options', options, FORK_KEYS);
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

/** The dates are in what is loaded, and the store's own. */
const DOCUMENT_KEYS = knownKeys<AgentDocument>('is no field of a document', {
  kind: true,
  name: true,
  content: true,
  createdAt: true,
  updatedAt: true,
});

export function checkDocument(document: {
  kind: DocumentKind;
  name: string;
  content: unknown;
}): EncodedDocument {
  const { kind, name, content } = fieldsOf('document', document, DOCUMENT_KEYS);
  if (content === undefined) throw new ValidationError('content', 'must be given; null is a content, too');
  return {
    kind: checkDocumentKind(kind),
    name: checkDocumentName(name),
    payload: encodeJson(content, 'content'),
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

const LEASE_KEYS = knownKeys<LeaseOptions>(NO_OPTION, { ttlMs: true, waitMs: true, holder: true });

/** Options, or a number of milliseconds as time to live. */
export function checkLeaseOptions(options: LeaseOptions | number | undefined): CheckedLease {
  if (options === undefined || typeof options === 'number') {
    return { ttlMs: checkTtl(options), waitMs: 0, holder: undefined };
  }
  const { ttlMs, waitMs, holder } = fieldsOf('options', options, LEASE_KEYS);
  return { ttlMs: checkTtl(ttlMs), waitMs: checkWait(waitMs), holder: checkHolder(holder) };
}

const CLAIM_KEYS = knownKeys<ClaimOptions>(NO_OPTION, {
  limit: true,
  ttlMs: true,
  holder: true,
  maxAttempts: true,
});
export const DEFAULT_ATTEMPTS = 5;

export function checkClaim(options: ClaimOptions): CheckedClaim {
  const { limit, ttlMs, holder, maxAttempts = DEFAULT_ATTEMPTS } = fieldsOf('options', options, CLAIM_KEYS);
  if (!Number.isSafeInteger(limit) || limit < 1) {
    throw new ValidationError('limit', 'must be a whole number, 1 or more');
  }
  if (!Number.isSafeInteger(maxAttempts) || maxAttempts < 1) {
    throw new ValidationError('maxAttempts', 'must be a whole number, 1 or more');
  }
  return { limit, ttlMs: checkTtl(ttlMs), holder: checkHolder(holder), maxAttempts };
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

const DECISION_KEYS = knownKeys<ApprovalDecision>('is no field of a decision', {
  decision: true,
  by: true,
  note: true,
  callSeq: true,
});

export function checkDecision(toolCallId: unknown, decision: ApprovalDecision): CheckedDecision {
  validateCallName('toolCallId', toolCallId);
  const { decision: verdict, by, note, callSeq } = fieldsOf('decision', decision, DECISION_KEYS);
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

const WATCH_KEYS = knownKeys<WatchOptions>(NO_OPTION, { since: true, signal: true });

export function checkWatch(options: WatchOptions | undefined): CheckedWatch {
  if (options === undefined) return { since: 0, signal: undefined };
  const { since = 0, signal } = fieldsOf('options', options, WATCH_KEYS);
  return { since: checkSince('since', since), signal: checkSignal(signal) };
}

const CHECK_KEYS = knownKeys<ConsistencyOptions>(NO_OPTION, {
  agentId: true,
  level: true,
  signal: true,
  onProgress: true,
});

export function checkCheck(what: string | ConsistencyOptions | undefined): CheckedCheck {
  const options = typeof what === 'string' ? { agentId: what } : what === undefined ? {} : what;
  const { agentId, level, signal, onProgress } = fieldsOf('options', options, CHECK_KEYS);
  if (agentId !== undefined) validateAgentId(agentId);
  if (level !== undefined && level !== 'quick' && level !== 'full') {
    throw new ValidationError('level', 'must be "quick" or "full"');
  }
  if (onProgress !== undefined && typeof onProgress !== 'function') {
    throw new ValidationError('onProgress', `must be a function, not ${describe(onProgress)}`);
  }
  return {
    agentId,
    level: level ?? (agentId === undefined ? 'quick' : 'full'),
    signal: checkSignal(signal),
    onProgress: onProgress ?? (() => undefined),
  };
}

const LONG_CALL_KEYS = knownKeys<LongCallOptions>(NO_OPTION, { signal: true });

/** The signal of a call that may take long. */
export function checkLongCall(options: LongCallOptions | undefined): AbortSignal | undefined {
  if (options === undefined) return undefined;
  return checkSignal(fieldsOf('options', options, LONG_CALL_KEYS).signal);
}

function checkSignal(signal: unknown): AbortSignal | undefined {
  if (signal === undefined) return undefined;
  if (reading('signal', () => isAbortSignal(signal))) return ownSignal(signal as AbortSignal);
  throw new ValidationError('signal', `must be an AbortSignal, not ${describe(signal)}`);
}

export function checkPrefix(prefix: unknown): string {
  if (prefix === undefined || prefix === '') return '';
  validateName('prefix', prefix);
  return prefix;
}

const BACKUP_KEYS = knownKeys<BackupOptions>(NO_OPTION, { overwrite: true, signal: true });

export function checkBackup(path: unknown, options: BackupOptions | undefined): CheckedBackup {
  if (path !== undefined && (typeof path !== 'string' || path === '')) {
    throw new ValidationError('path', `must be the path of a file, not ${describe(path)}`);
  }
  if (options === undefined) return { path, overwrite: false, signal: undefined };
  const { overwrite = false, signal } = fieldsOf('options', options, BACKUP_KEYS);
  if (typeof overwrite !== 'boolean') throw new ValidationError('overwrite', 'must be true or false');
  return { path, overwrite, signal: checkSignal(signal) };
}
