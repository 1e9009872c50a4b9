import type { NewEvent, StoredEvent } from '../../src/model/agent.ts';
import type { Message } from '../../src/model/message.ts';
import type { Turn } from '../turns.ts';

/** What a bare program remembers of a conversation that it writes to. */
export interface RawAgent {
  readonly key: number;
  version: number;
  messages: number;
  calls: number;
  cursor: number;
}

/**
 * The floor: a program with nothing but the driver, which writes the same rows and bytes into tables with a
 * primary key each, by prepared statements in one transaction. It checks nothing, and knows no filters.
 */
export interface RawDatabase {
  create(metadata: unknown): Promise<RawAgent>;
  commit(agent: RawAgent, turn: Turn): Promise<void> | void;
  load(agent: RawAgent): Promise<Message[]> | Message[];
  /** One transaction, or statement, for each batch. */
  append(agent: RawAgent, events: readonly NewEvent[]): Promise<void> | void;
  /** All events of the agent, in their order. */
  events(agent: RawAgent): Promise<StoredEvent[]> | StoredEvent[];
  close(): Promise<void>;
}

/** The rows of a turn, in the order of the raw tables' columns behind the agent's key. */
export interface RawRows {
  /** seq, role, created_at, payload */
  messages: [number, number, number, string][];
  /** call_seq, tool_call_id, tool_name, state, is_error, message_seq, created_at, duration_ms, input, output, error */
  calls: [
    number,
    string,
    string,
    number,
    number,
    number,
    number,
    number | null,
    string,
    string,
    string | null,
  ][];
  events: RawEvent[];
}

/** cursor, channel, created_at, payload */
export type RawEvent = [number, number, number, string];

const ROLES: Record<string, number> = { user: 0, assistant: 1, system: 2 };
const CHANNELS: Record<string, number> = { progress: 0, control: 1, monitor: 2 };

export function rowsOf(agent: RawAgent, turn: Turn): RawRows {
  const now = Date.now();
  const opened = new Map<string, { name: string; input: unknown; seq: number }>();
  const messages = turn.messages.map((message, i): RawRows['messages'][number] => {
    const seq = agent.messages + i;
    for (const block of message.content) {
      if (block.type !== 'tool_use') continue;
      opened.set(String(block.id), { name: String(block.name), input: block.input, seq });
    }
    return [seq, ROLES[message.role] ?? 0, now, JSON.stringify(message)];
  });
  const calls = turn.toolCalls.map((call, i): RawRows['calls'][number] => {
    const asked = opened.get(call.toolCallId);
    const failed = call.state === 'failed';
    return [
      agent.calls + i,
      call.toolCallId,
      asked?.name ?? '',
      failed ? 6 : 5,
      failed ? 1 : 0,
      asked?.seq ?? 0,
      now,
      call.durationMs ?? null,
      JSON.stringify(asked?.input),
      JSON.stringify(call.output),
      call.error === undefined ? null : JSON.stringify(call.error),
    ];
  });
  return { messages, calls, events: eventRows(agent, turn.events, now) };
}

export function eventRows(agent: RawAgent, events: readonly NewEvent[], now = Date.now()): RawEvent[] {
  return events.map((event, i) => [
    agent.cursor + 1 + i,
    CHANNELS[event.channel] ?? 0,
    now,
    JSON.stringify(event),
  ]);
}

/** As the store gives them. */
export function storedEvent([cursor, , timestamp, payload]: RawEvent): StoredEvent {
  return { cursor, bookmark: { seq: cursor, timestamp }, event: JSON.parse(payload) as NewEvent };
}

/** What the agent's row has after these rows. */
export function advance(agent: RawAgent, rows: RawRows): void {
  agent.version += 1;
  agent.messages += rows.messages.length;
  agent.calls += rows.calls.length;
  agent.cursor += rows.events.length;
}
