import type { AgentInfoInput, NewEvent } from '../src/model/agent.ts';
import type { Message } from '../src/model/message.ts';
import type { ToolCallUpdate } from '../src/model/tool-call.ts';

/** What a turn commits. */
export interface Turn {
  messages: Message[];
  toolCalls: ToolCallUpdate[];
  events: NewEvent[];
  info: AgentInfoInput;
}

/** Gives turns without end, the same ones in every run. */
export interface TurnSource {
  /** What the turns are, for the report. */
  readonly name: string;
  next(): Turn;
  /** One with a tool call and its result. */
  nextWithCall(): Turn;
  /** Call ids come again: several turns can't go into one commit. */
  readonly repeatsIds: boolean;
}

/** As many turns as make up this number of messages; the last one is cut. */
export function turnsOf(source: TurnSource, messages: number): Turn[] {
  const turns: Turn[] = [];
  for (let left = messages; left > 0; ) {
    const turn = source.next();
    turns.push(turn.messages.length > left ? cut(turn, left) : turn);
    left -= turn.messages.length;
  }
  return turns;
}

/** Without the messages from `count` on, and what became of calls that they asked for. */
function cut(turn: Turn, count: number): Turn {
  const messages = turn.messages.slice(0, count);
  const ids = new Set(
    messages.flatMap(({ content }) =>
      content.flatMap((block) => (block.type === 'tool_use' ? [block.id] : [])),
    ),
  );
  return { ...turn, messages, toolCalls: turn.toolCalls.filter(({ toolCallId }) => ids.has(toolCallId)) };
}

/** Several turns as one. */
export function join(turns: readonly Turn[]): Turn {
  return {
    messages: turns.flatMap((turn) => turn.messages),
    toolCalls: turns.flatMap((turn) => turn.toolCalls),
    events: turns.flatMap((turn) => turn.events),
    info: turns.at(-1)?.info ?? {},
  };
}

/** With an answer at its end, as every turn of an agent has. */
export function answered(turn: Turn): Turn {
  if (turn.messages.at(-1)?.role === 'assistant') return turn;
  const texts = turn.messages.flatMap(({ role, content }) =>
    role === 'assistant' ? content.filter(({ type }) => type === 'text') : [],
  );
  const content = texts.length > 0 ? texts : [{ type: 'text', text: 'That is all.' }];
  return { ...turn, messages: [...turn.messages, { role: 'assistant', content }] };
}
