import type { Message } from '../../src/model/message.ts';
import type { RawRow } from './fleet.ts';

/** Rows as a program would want them: JSON parsed, instants as dates. */
export function asSession(row: RawRow) {
  return {
    ...row,
    createdAt: new Date(Number(row.created_at)),
    updatedAt: new Date(Number(row.updated_at)),
    lineage: parse(row.lineage),
    metadata: parse(row.metadata),
  };
}

export function asMessage(row: RawRow) {
  return {
    agentId: row.agent_id,
    seq: Number(row.seq),
    createdAt: new Date(Number(row.created_at)),
    ...(parse(row.payload) as Message),
  };
}

export function asCall(row: RawRow) {
  return {
    ...row,
    createdAt: new Date(Number(row.created_at)),
    updatedAt: new Date(Number(row.updated_at)),
    input: parse(row.input),
    output: parse(row.output),
    error: parse(row.error),
    approval: parse(row.approval),
    audit: parse(row.audit),
  };
}

function parse(text: RawRow[string] | undefined): unknown {
  return text === null || text === undefined ? undefined : JSON.parse(String(text));
}
