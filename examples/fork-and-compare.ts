/**
 * One conversation, two continuations, compared by queries. The forks share the history before the fork: it
 * is stored once, and the model isn't asked for it again.
 *
 * Run it: npx tsx examples/fork-and-compare.ts [DATABASE]
 */
import { z } from 'zod';
import { Agent, createExtendedStore, defineTool } from '../src/index.ts';
import { chooseModel } from './support/choose-model.ts';
import type { Script } from './support/scripted-model.ts';

const TRAINS = [
  { train: 'RE 18', departs: '07:20', arrives: '12:50', price: 19 },
  { train: 'IC 204', departs: '08:10', arrives: '11:45', price: 34 },
  { train: 'EX 7', departs: '09:00', arrives: '11:05', price: 89 },
];

const findTrains = defineTool({
  name: 'find_trains',
  description: 'Finds the trains between two towns, tomorrow.',
  inputSchema: z.object({ from: z.string(), to: z.string() }),
  execute: () => TRAINS,
});

const bookTrain = defineTool({
  name: 'book_train',
  description: 'Books a seat in a train.',
  inputSchema: z.object({ train: z.string() }),
  execute: ({ train }) => {
    const found = TRAINS.find((one) => one.train === train);
    if (found === undefined) throw new Error(`There is no train ${train}.`);
    return { booked: train, price: found.price };
  },
});

const template = {
  id: 'travel-desk',
  systemPrompt: 'You are a travel desk. Use the tools without asking back, and answer in one sentence.',
  tools: [findTrains, bookTrain],
};

/** What the model says when there is no key for a real one. */
const script: Script = ({ input, done: [call] }) => {
  if (input.includes('Which trains')) {
    if (call) return { text: `There are ${JSON.parse(call.result).length} trains tomorrow.` };
    return { calls: [{ tool: 'find_trains', input: { from: 'Aldham', to: 'Brook' } }] };
  }
  if (call) return { text: `I booked ${JSON.parse(call.result).booked}.` };
  return { calls: [{ tool: 'book_train', input: { train: input.includes('cheapest') ? 'RE 18' : 'EX 7' } }] };
};

const provider = await chooseModel(script);
const store = await createExtendedStore({ type: 'sqlite', dbPath: process.argv[2] ?? './data/fork.db' });
const agent = await Agent.create({ provider, store, template });
console.log(`Before the fork: ${await agent.send('Which trains go from Aldham to Brook tomorrow?')}`);
// A fork can begin at any message, too: { at: 3 }, or much later at a snapshot.
const at = await agent.snapshot('trains found');

async function tryOut(input: string): Promise<[string, Agent]> {
  const fork = await agent.fork({ at });
  console.log(`${input} ${await fork.send(input)}`);
  return [input, fork];
}
const forks = await Promise.all(['Book the cheapest train.', 'Book the fastest train.'].map(tryOut));

const rows = forks.map(async ([input, { agentId }]) => {
  const [booking] = await store.queryToolCalls({ agentId, toolName: 'book_train' });
  const stats = await store.aggregateStats(agentId);
  const tokens = Object.values(stats.tokensByModel);
  const row = {
    booked: JSON.stringify(booking?.output),
    messages: stats.totalMessages,
    toolCalls: stats.totalToolCalls,
    modelCalls: tokens.reduce((sum, { calls }) => sum + calls, 0),
    inputTokens: tokens.reduce((sum, { inputTokens }) => sum + inputTokens, 0),
  };
  return [input, row] as const;
});
console.table(Object.fromEntries(await Promise.all(rows)));
console.log(`The original still has ${(await store.loadMessages(agent.agentId)).length} messages.`);
await store.close();
