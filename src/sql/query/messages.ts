import { CorruptDataError } from '../../errors.ts';
import type { Message, MessageRecord } from '../../model/message.ts';
import type { Paged } from '../../store/paged.ts';
import type { MessageQuery } from '../../store/validate-filter.ts';
import { number, parseJson } from '../codec.ts';
import type { SqlContext } from '../context.ts';
import type { SqlValue } from '../port/values.ts';
import { readConversation } from './conversation-messages.ts';
import { MESSAGE_KEY_PLACES, planMessages } from './message-keys.ts';
import { iterateRecords, queryRecords, type RecordSource } from './record-query.ts';

const SOURCE: RecordSource<MessageQuery, MessageRecord> = {
  keyPlaces: MESSAGE_KEY_PLACES,
  plan: planMessages,
  readConversation: readConversation,
  decode: toRecord,
};

export async function queryMessages(context: SqlContext, query: MessageQuery): Promise<MessageRecord[]> {
  return queryRecords(context, SOURCE, query);
}

export function iterateMessages(context: SqlContext, query: MessageQuery): Paged<SqlValue[], MessageRecord> {
  return iterateRecords(context, SOURCE, query);
}

/** Of seq, created_at, payload, and the agent's id unless it is known. */
function toRecord(row: readonly SqlValue[], agentId = String(row[3])): MessageRecord {
  const seq = number(row[0]);
  const message = parseJson(row[2], () => placeOf(seq, agentId)) as Partial<Message> | null;
  if (!message?.role || !Array.isArray(message.content)) {
    throw new CorruptDataError(
      `The stored JSON of ${placeOf(seq, agentId)} is no message: it was changed from outside. Restore it from a backup.`,
    );
  }
  const { role, content, metadata, providerOptions } = message;
  const record: MessageRecord = { agentId, seq, role, content, createdAt: new Date(number(row[1])) };
  if (metadata !== undefined) record.metadata = metadata;
  if (providerOptions !== undefined) record.providerOptions = providerOptions;
  return record;
}

function placeOf(seq: number, agentId: string): string {
  return `message ${seq} of agent "${agentId}"`;
}
