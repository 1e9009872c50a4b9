import assert from 'node:assert/strict';
import { ValidationError } from '../errors.ts';
import { type AgentInfoInput, type Channel, DOCUMENT_KINDS, type NewEvent } from '../model/agent.ts';
import type { ContentBlock, Message } from '../model/message.ts';
import type { Store } from '../store/store.ts';

// Messages

export function text(value: string): ContentBlock {
  return { type: 'text', text: value };
}

export function user(value: string): Message {
  return { role: 'user', content: [text(value)] };
}

export function assistant(value: string): Message {
  return { role: 'assistant', content: [text(value)] };
}

/** `count` messages of a user and an assistant in turn; the same number always gives the same messages. */
export function conversation(count: number, name = 'm'): Message[] {
  return Array.from({ length: count }, (_, n) =>
    n % 2 === 0 ? user(`${name}${n}`) : assistant(`${name}${n}`),
  );
}

// Tool calls

export function toolUse(id: string, name = 'search', input: unknown = { query: id }): ContentBlock {
  return { type: 'tool_use', id, name, input };
}

export function toolResult(id: string, content: unknown = `result of ${id}`): ContentBlock {
  return { type: 'tool_result', tool_use_id: id, content };
}

/** The assistant's message that asks for these calls, each one `search` call. */
export function asks(...ids: string[]): Message {
  return { role: 'assistant', content: ids.map((id) => toolUse(id)) };
}

/** The message that gives the model the results of these calls. */
export function answers(...ids: string[]): Message {
  return { role: 'user', content: ids.map((id) => toolResult(id)) };
}

// Events

export function event(channel: Channel, type: string, extra: Record<string, unknown> = {}): NewEvent {
  return { channel, type, ...extra };
}

export function progress(type: string, extra: Record<string, unknown> = {}): NewEvent {
  return event('progress', type, extra);
}

// Agents

/** Creates an agent, with these messages if there are any. Its version is 1 in either case. */
export async function createAgent(
  store: Store,
  agentId: string,
  messages: Message[] = [],
  info: AgentInfoInput = {},
): Promise<string> {
  await store.commit(agentId, { info, messages, expectedVersion: 0 });
  return agentId;
}

// Instants

/** `minutes` after noon of a day long past. */
export function minute(minutes: number): Date {
  return new Date(Date.UTC(2024, 4, 17, 12, minutes));
}

// Looking at what came back

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

/** Equal to the byte: the same JSON text, key order included. */
export function sameJson(actual: unknown, expected: unknown, what?: string): void {
  assert.equal(JSON.stringify(actual), JSON.stringify(expected), what);
}

/** All that the store holds of agent `a`, and which agents there are, as one text. */
export async function everything(store: Store): Promise<string> {
  return JSON.stringify([
    await store.list(),
    await store.loadAgent('a'),
    await store.loadCompactions('a'),
    await collect(store.readEvents('a')),
    await store.listSnapshots('a'),
    await Promise.all(DOCUMENT_KINDS.map((kind) => store.listDocuments('a', kind))),
    await store.loadDelta('a'),
  ]);
}

/** What a caller without a type checker may pass. */
export function wrong<T>(value: unknown): T {
  return value as T;
}

/** The call is refused by name: a `ValidationError` whose `field` contains `field`. */
export async function refused(call: Promise<unknown>, field = '', what = ''): Promise<void> {
  const error = await call.then(
    () => assert.fail(`expected a ValidationError of "${field}", but the call succeeded. ${what}`),
    (reason: unknown) => reason,
  );
  assert.ok(
    error instanceof ValidationError,
    `expected a ValidationError of "${field}", got ${error}. ${what}`,
  );
  assert.ok(error.field.includes(field), `expected "${field}" in the field "${error.field}". ${what}`);
}
