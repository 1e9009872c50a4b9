/**
 * Your own `streamText` loop on the store. The conversation is loaded as a prompt, the model SDK takes the
 * steps and runs their tools, and what came of them is committed at once. The second round, as another
 * process would, knows of the first what is stored.
 *
 * Run it: npx tsx examples/own-loop.ts [DATABASE]
 */
import { type LanguageModel, stepCountIs, streamText, tool } from 'ai';
import { z } from 'zod';
import {
  createExtendedStore,
  fromModelMessages,
  generateAgentId,
  type Message,
  type ToolCallUpdate,
  toModelMessages,
} from '../src/index.ts';
import { chooseModel } from './support/choose-model.ts';
import type { Script } from './support/scripted-model.ts';

const stock = tool({
  description: 'Looks up how many pieces of an article there are.',
  inputSchema: z.object({ article: z.string() }),
  execute: async ({ article }) => ({ article, pieces: article.length * 7 }),
});

async function round(agentId: string, text: string): Promise<void> {
  await using store = await createExtendedStore({ type: 'sqlite', dbPath });
  // One loop at a time: another one that asks for the lease waits, and can't commit without it.
  await using lease = await store.acquireAgentLock(agentId, { waitMs: 5_000 });
  const question: Message = { role: 'user', content: [{ type: 'text', text }] };
  const result = streamText({
    model,
    messages: toModelMessages([...(await store.loadContext(agentId)), question]),
    tools: { stock },
    stopWhen: stepCountIs(5),
    abortSignal: lease.signal,
  });
  process.stdout.write(`> ${text}\n`);
  for await (const piece of result.textStream) process.stdout.write(piece);
  process.stdout.write('\n');

  const steps = await result.steps;
  await store.commit(agentId, {
    messages: [question, ...fromModelMessages((await result.response).messages)],
    // The messages open the records of their calls; this says how the calls ended.
    toolCalls: steps.flatMap(({ content }) =>
      content.flatMap<ToolCallUpdate>((part) => {
        const { type } = part;
        if (type === 'tool-result')
          return { toolCallId: part.toolCallId, state: 'completed', output: part.output };
        if (type === 'tool-error')
          return { toolCallId: part.toolCallId, state: 'failed', error: `${part.error}` };
        return [];
      }),
    ),
    usage: steps.map(({ response, usage: { inputTokens = 0, outputTokens = 0 } }) => ({
      model: response.modelId,
      inputTokens,
      outputTokens,
    })),
    lease,
  });
}

/** What the model says when there is no key for a real one: all it knows is the prompt. */
const script: Script = ({ input, done: [looked], prompt }) => {
  const asked = prompt.filter(({ role }) => role === 'user').length;
  if (looked) return { text: `There are ${JSON.parse(looked.result).pieces}; that was question ${asked}.` };
  return { calls: [{ tool: 'stock', input: { article: /many (\w+)/.exec(input)?.[1] ?? '' } }] };
};

const [dbPath = './data/own-loop.db'] = process.argv.slice(2);
const model = (await chooseModel(script)) as LanguageModel;
const agentId = generateAgentId();
await using store = await createExtendedStore({ type: 'sqlite', dbPath });
await store.saveInfo(agentId, { templateId: 'own-loop' });
await round(agentId, 'How many lamps are there?');
await round(agentId, 'And how many chairs?');

for (const { toolName, input, state, output } of await store.queryToolCalls({ agentId, order: 'asc' })) {
  console.log(`${toolName} ${JSON.stringify(input)}: ${state}, ${JSON.stringify(output)}`);
}
console.log(`Tokens: ${JSON.stringify((await store.aggregateStats(agentId)).tokensByModel)}`);
