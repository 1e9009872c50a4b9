/** An agent with the SDK's tools and the package's own, a loop of one's own, and routes for `useChat`. */
export const AGENT_PROGRAM = `
import { anthropic } from '@ai-sdk/anthropic';
import { openai } from '@ai-sdk/openai';
import {
  Agent,
  createExtendedStore,
  defineTool,
  fromModelMessages,
  toModelMessages,
  toUIMessages,
  toUIMessageStream,
  type AgentTemplate,
  type ToolSet,
} from '@shareai-lab/kode-sdk';
import {
  convertToModelMessages,
  createUIMessageStreamResponse,
  jsonSchema,
  type LanguageModel,
  type ModelMessage,
  streamText,
  tool,
  type UIMessage,
} from 'ai';
import { z } from 'zod';

const store = await createExtendedStore({ type: 'sqlite', dbPath: 'agents.db' });

const weather = tool({
  description: 'Tells the weather.',
  inputSchema: z.object({ city: z.string(), days: z.number().optional() }),
  execute: async ({ city, days }, { toolCallId, abortSignal }) => {
    const name: string = city;
    const count: number | undefined = days;
    return { name, count, toolCallId, aborted: abortSignal?.aborted };
  },
});
const travel = tool({
  description: 'Books a journey.',
  inputSchema: jsonSchema<{ to: string }>({ type: 'object', properties: { to: { type: 'string' } } }),
  needsApproval: true,
  execute: async ({ to }) => to,
  toModelOutput: ({ output }) => ({ type: 'text', value: output }),
});
const refund = defineTool({
  name: 'refund',
  description: 'Pays an order back.',
  inputSchema: z.object({ order: z.number() }),
  needsApproval: ({ order }) => order > 1_000,
  execute: async ({ order }, { idempotencyKey }) => ({ refunded: order.toFixed(), idempotencyKey }),
});
const lookUp = defineTool({
  name: 'look_up',
  input: jsonSchema<{ word: string }>({ type: 'object' }),
  idempotent: true,
  execute: ({ word }) => word.toUpperCase(),
});

// Agents, with models of each provider and tools of each kind.
const tools: ToolSet = { weather, travel, web_search: anthropic.tools.webSearch_20250305({}) };
const template: AgentTemplate = {
  id: 'clerk',
  systemPrompt: [
    {
      role: 'system',
      content: 'Be brief.',
      providerOptions: { anthropic: { cacheControl: { type: 'ephemeral' } } },
    },
  ],
  tools,
  settings: { temperature: 0, toolChoice: 'auto' },
  prepareStep: ({ messages }) => ({ messages: messages.slice(-10), model: openai('gpt-5') }),
};
const agent = await Agent.create({ provider: anthropic('claude-sonnet-4-5'), store, template });
const chosen: LanguageModel = openai.chat('gpt-5');
await Agent.open('clerk-1', { model: chosen, store, template: { id: 'clerk', tools: { weather, travel } } });
await Agent.resume('clerk-1', {
  provider: openai('gpt-5'),
  store,
  template: ({ templateId }) => ({ id: templateId, tools: [refund, lookUp] }),
});
const { status, text, approvals } = await agent.run('Refund order 1042.', { output: z.object({ ok: z.boolean() }) });
console.log(status, text);
for (const { toolCallId } of approvals) await agent.approve(toolCallId, { by: 'ana' });

// @ts-expect-error: a provider is no model
await Agent.create({ provider: anthropic, store, template });
// @ts-expect-error: the input has an order
defineTool({ name: 'a', inputSchema: z.object({ order: z.number() }), execute: ({ other }) => other });

// A loop of one's own on the store.
const { messages } = await store.loadAgent(agent.agentId);
const prompt: ModelMessage[] = toModelMessages(messages);
prompt.push({ role: 'user', content: 'And then?' });
const result = streamText({
  model: openai('gpt-5'),
  system: 'Be brief.',
  messages: toModelMessages(messages),
  tools: { weather, travel },
});
const { messages: made } = await result.response;
await store.commit(agent.agentId, { messages: [...messages, ...fromModelMessages([...prompt, ...made])] });

// Routes for useChat.
const shown: UIMessage[] = toUIMessages(messages, { toolCalls: await store.loadToolCallRecords(agent.agentId) });
const asked = fromModelMessages(await convertToModelMessages(shown));
const [input] = asked.filter(({ role }) => role === 'user');
const stream = toUIMessageStream(agent.stream(input?.content ?? 'Hi'), { messageId: 'm1' });
const response: Response = createUIMessageStreamResponse({ stream });
console.log(response.status);
`;

/** A store and nothing else. */
export const STORE_PROGRAM = `
import { createExtendedStore, type ExtendedStore, JSONStore, PostgresStore } from '@shareai-lab/kode-sdk';

const store: ExtendedStore = await createExtendedStore({ type: 'sqlite', dbPath: 'agents.db' });
await store.saveMessages('a', [{ role: 'user', content: [{ type: 'text', text: 'Hi' }] }]);
for (const { toolName } of await store.queryToolCalls({ isError: true })) console.log(toolName);
const others = [new PostgresStore({ database: 'agents' }), new JSONStore('agents')];
for (const { close } of [store, ...others]) await close();
`;
