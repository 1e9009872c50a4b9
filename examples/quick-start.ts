/**
 * An agent whose tool call waits for an approval, in a database that outlives the process.
 *
 * Run it: npx tsx examples/quick-start.ts [DATABASE]
 */
import { z } from 'zod';
import { Agent, createExtendedStore, defineTool } from '../src/index.ts';
import { chooseModel } from './support/choose-model.ts';

const refund = defineTool({
  name: 'refund',
  description: 'Pays money back for an order.',
  inputSchema: z.object({ order: z.number(), amount: z.number() }),
  needsApproval: true,
  execute: ({ order, amount }) => `${amount} paid back for order ${order}`,
});
const template = { id: 'refunds', systemPrompt: 'You help the customers of a shop.', tools: [refund] };

// Any model of the AI SDK: anthropic('…'), openai('…'). Without a key, one that follows these lines.
const provider = await chooseModel(({ done: [call] }) =>
  call
    ? { text: `Done: ${call.result}.` }
    : { calls: [{ tool: 'refund', input: { order: 1042, amount: 30 } }] },
);
const config = { type: 'sqlite', dbPath: process.argv[2] ?? './data/quick-start.db' } as const;

const before = await createExtendedStore(config);
const agent = await Agent.create({ provider, store: before, template });
const { agentId } = agent;
console.log(`The turn ends: ${(await agent.run('Please refund 30 for order 1042.')).status}`);
await before.close(); // The process could end here: nothing of the agent lives in its memory.

const store = await createExtendedStore(config);
for (const call of await store.queryToolCalls({ agentId, state: 'approval_required' })) {
  console.log(`Waiting: ${call.toolName} ${JSON.stringify(call.input)}`);
  await store.decideApproval(agentId, call.toolCallId, { decision: 'allow', by: 'ana' });
}
const resumed = await Agent.resume(agentId, { provider, store, template });
console.log(`Answer: ${(await resumed.run()).text}`);

for (const call of await store.queryToolCalls({ agentId })) {
  const way = call.auditTrail.map(({ state }) => state).join(' → ');
  console.log(`${call.toolName}: ${way}, decided by ${call.approval.decidedBy}`);
}
await store.close();
