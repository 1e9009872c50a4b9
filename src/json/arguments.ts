import { ValidationError } from '../errors.ts';
import { type Delta, DOCUMENT_KINDS, type DocumentKind, type LeaseToken } from '../model/agent.ts';
import { checkText, ordinal } from '../model/call-update.ts';
import { checkLease } from '../model/encode-commit.ts';
import { describe, validateName } from '../model/ids.ts';
import { encodeJson } from '../model/json.ts';
import type { ApprovalDecision, WriteOptions } from '../store/store.ts';
import type { EncodedDecision } from './plan-decision.ts';

const MAX_DOCUMENT_NAME = 1_024;

export interface CheckedDocument {
  kind: DocumentKind;
  name: string;
  /** JSON text. */
  content: string;
  lease: LeaseToken | undefined;
}

/** A part of a commit that a narrow call is about: leaving it out would say nothing. */
export function checkGiven<T>(field: string, value: T): T {
  if (value === undefined || value === null)
    throw new ValidationError(field, `must not be ${describe(value)}`);
  return value;
}

/** JSON text. */
export function checkDelta(delta: Delta): string {
  if (typeof delta !== 'object' || delta === null || Array.isArray(delta)) {
    throw new ValidationError('delta', `must be an object, not ${describe(delta)}`);
  }
  return encodeJson(delta, 'delta');
}

export function checkDocumentKind(kind: unknown): DocumentKind {
  const known = DOCUMENT_KINDS.find((one) => one === kind);
  if (!known) throw new ValidationError('kind', `must be one of ${DOCUMENT_KINDS.join(', ')}`);
  return known;
}

export function checkDocumentName(name: unknown): string {
  validateName('name', name, MAX_DOCUMENT_NAME);
  return name;
}

export function checkDocument(
  agentId: string,
  document: { kind: DocumentKind; name: string; content: unknown },
  options: WriteOptions | undefined,
): CheckedDocument {
  const { kind, name, content } = checkGiven('document', document);
  return {
    kind: checkDocumentKind(kind),
    name: checkDocumentName(name),
    content: encodeJson(content, 'content'),
    lease: checkLease(agentId, options?.lease),
  };
}

export function checkDecision(toolCallId: string, decision: ApprovalDecision): EncodedDecision {
  validateName('toolCallId', toolCallId);
  const { decision: verdict, by, note, callSeq } = checkGiven('decision', decision);
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
