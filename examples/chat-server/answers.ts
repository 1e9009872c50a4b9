import {
  AgentNotFoundError,
  type AgentStreamPart,
  type ExtendedStore,
  followAgent,
  type NewEvent,
} from '../../src/index.ts';

/** Turns that a message began have its id in their name; those that go on with an answer have another name. */
export function turnName(messageId: string): string {
  return `message:${messageId}`;
}

/**
 * The id of the answer under way, or of the last one, as `toUIMessages` gives it: so that `useChat` takes
 * what is streamed for the message that it has already, or will have after a reload.
 */
export async function answerId(store: ExtendedStore, agentId: string): Promise<string> {
  for await (const { seq, content } of store.iterateMessages({ agentId, role: 'user' })) {
    if (content.some(({ type }) => type !== 'tool_result')) return `msg-${seq + 1}`;
  }
  return 'msg-0';
}

/** The cursor before the turn that a message began; without a message, before the newest answer. */
export async function beginningOf(
  store: ExtendedStore,
  agentId: string,
  messageId = '',
): Promise<number | undefined> {
  const name = turnName(messageId);
  const begins = ({ type, turnId }: NewEvent) =>
    type === 'start' && (messageId === '' ? String(turnId).startsWith(name) : turnId === name);
  const cursor = await lastEvent(store, agentId, 0, begins);
  return cursor === undefined ? undefined : cursor - 1;
}

/** Whether somebody who has seen everything up to a cursor, or all that is stored, has something to expect. */
export async function goesOn(store: ExtendedStore, agentId: string, since?: number): Promise<boolean> {
  const info = await store.loadInfo(agentId);
  if (info === undefined) throw new AgentNotFoundError(agentId);
  if (info.status === 'running' || since === undefined) return info.status === 'running';
  return (await lastEvent(store, agentId, since, ({ type }) => /^(finish|error)$/.test(type))) !== undefined;
}

/** An answer to its end: where it waited for an approval, it goes on in another turn. */
export async function* followAnswer(
  store: ExtendedStore,
  agentId: string,
  since: number | undefined,
  signal: AbortSignal,
): AsyncGenerator<AgentStreamPart, undefined> {
  let waited = true;
  while (waited && (await goesOn(store, agentId, since))) {
    waited = false;
    for await (const part of followAgent(store, agentId, { since, signal })) {
      since = part.cursor ?? since;
      waited = part.type === 'finish' && part.status === 'awaiting_approval';
      yield part;
    }
  }
}

async function lastEvent(
  store: ExtendedStore,
  agentId: string,
  since: number,
  matches: (event: NewEvent) => boolean,
): Promise<number | undefined> {
  let last: number | undefined;
  for await (const { cursor, event } of store.readEvents(agentId, { since, channel: 'progress' })) {
    if (matches(event)) last = cursor;
  }
  return last;
}
