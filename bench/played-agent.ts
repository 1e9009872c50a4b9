import type { LanguageModelV3, LanguageModelV3StreamPart } from '@ai-sdk/provider';
import { jsonSchema } from 'ai';
import { Agent } from '../src/agent/agent.ts';
import { defineTool } from '../src/agent/define-tool.ts';
import type { Tool } from '../src/agent/tool.ts';
import type { ContentBlock } from '../src/model/message.ts';
import type { Store } from '../src/store/store.ts';
import type { Turn } from './turns.ts';
import { METADATA } from './workload.ts';

const ANY_INPUT = jsonSchema<unknown>({ type: 'object' });
const USAGE = {
  inputTokens: { total: 900, noCache: 900, cacheRead: 0, cacheWrite: 0 },
  outputTokens: { total: 300, text: 300, reasoning: 0 },
};

/** Where the agent is from: another version of the package has its own. */
export interface AgentPackage {
  readonly Agent: typeof Agent;
  readonly defineTool: typeof defineTool;
}

/** An agent that is created, lives through the turns, and is resumed: its model and its tools take no time. */
export async function playAgent(
  store: Store,
  agentId: string,
  turns: readonly Turn[],
  from: AgentPackage = { Agent, defineTool },
): Promise<void> {
  const provider = playedModel(turns);
  const template = { id: 'assistant', tools: playedTools(turns, from) };
  const agent = await from.Agent.create({ store, provider, template, agentId, metadata: METADATA });
  for (const { messages } of turns) await agent.send(messages[0]?.content ?? []);
  await agent.close();
  const resumed = await from.Agent.resume(agentId, { store, provider, template });
  await resumed.close();
}

/** Gives the answers of the turns one after the other, each at once and in one piece. */
function playedModel(turns: readonly Turn[]): LanguageModelV3 {
  const answers = turns
    .flatMap(({ messages }) => messages)
    .filter(({ role }) => role === 'assistant')
    .values();
  return {
    specificationVersion: 'v3',
    provider: 'played',
    modelId: 'played',
    supportedUrls: {},
    doGenerate: () => Promise.reject(new Error('The agent streams its answers.')),
    doStream: async () => ({ stream: ReadableStream.from(partsOf(answers.next().value?.content ?? [])) }),
  };
}

function* partsOf(content: readonly ContentBlock[]): Generator<LanguageModelV3StreamPart> {
  yield { type: 'stream-start', warnings: [] };
  let asks = false;
  for (const [i, block] of content.entries()) {
    if (block.type === 'text') {
      const id = String(i);
      yield { type: 'text-start', id };
      yield { type: 'text-delta', id, delta: String(block.text) };
      yield { type: 'text-end', id };
    } else if (block.type === 'tool_use') {
      asks = true;
      const { id, name, input } = block;
      yield {
        type: 'tool-call',
        toolCallId: String(id),
        toolName: String(name),
        input: JSON.stringify(input),
      };
    }
  }
  yield {
    type: 'finish',
    usage: USAGE,
    finishReason: { unified: asks ? 'tool-calls' : 'stop', raw: undefined },
  };
}

/** Each call comes out as its turn says. */
function playedTools(turns: readonly Turn[], from: AgentPackage): Tool[] {
  const outcomes = new Map(
    turns.flatMap(({ toolCalls }) => toolCalls.map((call) => [call.toolCallId, call])),
  );
  const blocks = turns.flatMap(({ messages }) => messages.flatMap(({ content }) => content));
  const names = new Set(blocks.flatMap((block) => (block.type === 'tool_use' ? String(block.name) : [])));
  return [...names].map((name) =>
    from.defineTool({
      name,
      inputSchema: ANY_INPUT,
      execute: (_input, { toolCallId }) => {
        const outcome = outcomes.get(toolCallId);
        if (outcome?.state === 'failed') throw new Error(outcome.error);
        return outcome?.output ?? null;
      },
    }),
  );
}
