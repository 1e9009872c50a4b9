import { CorruptDataError } from '../../errors.ts';
import type { Message, MessageRecord } from '../../model/message.ts';
import type { MessageQueryFilter } from '../../store/filters.ts';
import { type MessageQuery, validateMessageFilter } from '../../store/validate-filter.ts';
import { number, parseJson } from '../codec.ts';
import type { SqlContext } from '../context.ts';
import type { Row } from '../driver.ts';
import { windowAfter } from './chain.ts';
import { readConversation } from './conversation-messages.ts';
import { MESSAGE_KEY, planMessages } from './message-keys.ts';
import { ofAgent } from './of-agent.ts';
import { inPages } from './pages.ts';
import { positionOf, sortRows } from './rows.ts';

export async function queryMessages(
  context: SqlContext,
  filter?: MessageQueryFilter,
): Promise<MessageRecord[]> {
  const query = validateMessageFilter(filter);
  const { agentId } = query;
  const rows = agentId === undefined ? await readAll(context, query) : await readOne(context, agentId, query);
  return rows.map((row) => toRecord(row, agentId));
}

export async function* iterateMessages(
  context: SqlContext,
  filter?: MessageQueryFilter,
): AsyncGenerator<MessageRecord> {
  const query = validateMessageFilter(filter, 'iterate');
  const { agentId } = query;
  const pages = inPages(query.limit, (limit, last) =>
    agentId === undefined
      ? readAll(context, { ...query, limit }, last)
      : readOne(context, agentId, { ...query, limit }, last),
  );
  for await (const rows of pages) for (const row of rows) yield toRecord(row, agentId);
}

async function readAll({ driver }: SqlContext, query: MessageQuery, last?: Row): Promise<Row[]> {
  const after = last && positionOf(last, MESSAGE_KEY);
  const { statement, params } = planMessages(driver.dialect, query, after);
  return sortRows(await driver.read(statement, params), MESSAGE_KEY, query.order);
}

function readOne(context: SqlContext, agentId: string, query: MessageQuery, last?: Row): Promise<Row[]> {
  const window = last && windowAfter(number(last.seq), query.order);
  return ofAgent(context, agentId, [], (keys) => readConversation(context, keys, query, window));
}

function toRecord(row: Row, agentId = String(row.agent_id)): MessageRecord {
  const seq = number(row.seq);
  const where = `message ${seq} of agent "${agentId}"`;
  const message = parseJson(row.payload, where) as Partial<Message> | null;
  if (!message?.role || !Array.isArray(message.content)) {
    throw new CorruptDataError(
      `The stored JSON of ${where} is no message: it was changed from outside. Restore it from a backup.`,
    );
  }
  return {
    agentId,
    seq,
    role: message.role,
    content: message.content,
    ...(message.metadata === undefined ? {} : { metadata: message.metadata }),
    createdAt: new Date(number(row.created_at)),
  };
}
