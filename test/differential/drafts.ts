import type { Message } from '../../src/model/message.ts';
import { isTerminal } from '../../src/model/tool-call.ts';
import { asks } from '../../src/testing/samples.ts';
import type { Call, ModelAgent, Row } from './model-agent.ts';
import { isAnswered } from './model-agent.ts';
import { callsBeforeCut, isWaiting } from './model-calls.ts';
import type { Draft } from './operation.ts';

/** Longer than an index takes. Two that differ at their ends only, which no index has. */
const LONG = `call|${'s'.repeat(6_000)}`;
/** Ids of tool calls, as models and gateways send them. Few, so that they repeat within an agent and between agents. */
const CALL_IDS = ['c0', 'c1', `${LONG}0`, '', `${LONG}1`];
/** The last ones are none that a tool could have. */
export const TOOLS = ['search', 'bash', '', ` no\0tool\ud800 `, `${LONG}tool`];

function toMessage({ role, texts, extra = {} }: Draft): Message {
  const { providerOptions, ...rest } = extra;
  const blocks: Message['content'] = texts.map((text, n) =>
    n % 2 === 0 ? { type: 'text', text } : { text, type: 'note', ...rest },
  );
  const options = providerOptions === undefined ? {} : { providerOptions: { some: providerOptions } };
  // Keys in an order of our own: it must come back.
  return { ...options, content: blocks, role, ...('a' in rest ? { metadata: rest } : {}) };
}

export function toMessages(drafts: readonly Draft[]): Message[] {
  return drafts.map(toMessage);
}

/**
 * Ids under which an agent with these messages and calls can ask: an id that is open or unanswered isn't
 * used again meanwhile, because a result under it could then be of either call. Nor is one under which a
 * record opened a call that a message may still ask for.
 */
export function freeIds(rows: readonly Row[], calls: readonly Call[]): string[] {
  const taken = calls
    .filter(({ record }) =>
      record.messageSeq === undefined
        ? isWaiting(record)
        : !isTerminal(record.state) || !isAnswered(rows, record),
    )
    .map(({ record }) => record.toolCallId);
  return CALL_IDS.filter((id) => !taken.includes(id));
}

/** Free ids after a rewrite from this position on. */
export function freeIdsAfterCut(agent: ModelAgent, position: number): string[] {
  const rows = agent.rows.slice(0, position);
  return freeIds(rows, callsBeforeCut(agent.calls, position));
}

export function asking(ids: readonly string[], agent: ModelAgent): Message {
  const message = asks(...ids);
  const tool = TOOLS[agent.rows.length % TOOLS.length];
  return {
    ...message,
    content: message.content.map((block) => ({
      ...block,
      name: tool,
      input: { z: agent.rows.length, a: null },
    })),
  };
}

export function unanswered(agent: ModelAgent): Call[] {
  return agent.calls.filter(
    ({ record }) => record.messageSeq !== undefined && !isAnswered(agent.rows, record),
  );
}

/** The one that a number stands for. */
export function pick<T>(items: readonly T[], n: number): T | undefined {
  return items[n % Math.max(items.length, 1)];
}
