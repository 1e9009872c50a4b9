/**
 * Workers that pick up what died. Agents are the jobs: whoever is free claims one that nobody holds, goes on
 * with it, and gives it back. One of the workers is killed in the middle of a call; another one goes on.
 *
 * Run it: npx tsx examples/worker.ts [DATABASE]
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { z } from 'zod';
import { Agent, createExtendedStore, defineTool, type ExtendedStore, generateAgentId } from '../src/index.ts';
import { chooseModel } from './support/choose-model.ts';
import type { Script } from './support/scripted-model.ts';

/** How long a dead worker's job stays its own. With many agents in a slow network, take more. */
const LEASE_MS = 1_500;

const sendInvoice = defineTool({
  name: 'send_invoice',
  description: 'Sends the invoice of an order.',
  inputSchema: z.object({ order: z.number() }),
  // A crash can't tell whether the invoice went out, so the call is run again, and whoever sends it must
  // know it by its key. Without this line the call is sealed, and the model told that nobody knows.
  idempotent: true,
  execute: async ({ order }, { idempotencyKey, signal }) => {
    tell(`sends the invoice of order ${order}, key ${idempotencyKey}`);
    await pause(400, undefined, { signal });
    return `the invoice of order ${order} is sent`;
  },
});

const template = {
  id: 'invoices',
  systemPrompt: 'You send invoices. Send what you are asked for, once, and then say so in one sentence.',
  tools: [sendInvoice],
};

/** A worker's whole life. Start as many as you like, on any machine that reaches the database. */
async function work(store: ExtendedStore): Promise<void> {
  const provider = await chooseModel(script, () => undefined);
  // Before the first claim: what is claimed would wait for it, and on a busy machine it takes a moment.
  await import('ai');
  let stopping = false;
  // The driver says that it's enough, or is gone.
  process.once('disconnect', () => {
    stopping = true;
  });
  while (!stopping) {
    // Agents that are running and nobody's, and those whose approvals have all been decided.
    const [lease] = await store.claimResumable({ limit: 1, ttlMs: LEASE_MS });
    if (lease === undefined) {
      await pause(100);
      continue;
    }
    try {
      // Where there are agents of several kinds, a function chooses the template by what is stored of each.
      const agent = await Agent.resume(lease.agentId, { provider, store, template, lease });
      tell(`done: ${(await agent.run()).text}`);
    } catch (error) {
      // The agent's timeline says it, too, and the agent's status is 'interrupted': it isn't claimed again.
      tell(`failed: ${error instanceof Error ? error.message : error}`);
      await pause(1_000);
    } finally {
      await lease.release();
    }
  }
}

/** A job is an agent with an input that is marked as running. No model is needed for that. */
async function addJob(store: ExtendedStore, batch: string, order: number): Promise<string> {
  const agentId = generateAgentId();
  await store.commit(agentId, {
    info: { templateId: template.id, status: 'running', metadata: { batch } },
    messages: [{ role: 'user', content: [{ type: 'text', text: `Send the invoice of order ${order}.` }] }],
    expectedVersion: 0,
  });
  return agentId;
}

/** Adds jobs, kills the first worker while it works, and lets two others finish. */
async function drive(store: ExtendedStore): Promise<void> {
  await chooseModel(script);
  const batch = generateAgentId();
  const jobs = await Promise.all([1, 2, 3].map((order) => addJob(store, batch, order)));
  const executing = () =>
    Promise.all(jobs.map((agentId) => store.queryToolCalls({ agentId, state: 'executing' })));

  const first = startWorker();
  while (first.connected && (await executing()).flat().length === 0) await pause(50);
  first.kill('SIGKILL');
  await once(first, 'exit');
  tell(`worker ${first.pid} is killed in the middle of a call`);

  const others = [startWorker(), startWorker()];
  const ends = others.map((worker) => once(worker, 'exit'));
  const running = () => store.querySessions({ metadata: { batch }, status: 'running' });
  while ((await running()).length > 0 && others.some(({ connected }) => connected)) await pause(100);
  for (const worker of others) if (worker.connected) worker.disconnect();
  if ((await Promise.all(ends)).some(([code]) => code !== 0)) throw new Error('A worker failed.');

  for (const { agentId, status } of await store.querySessions({ metadata: { batch }, order: 'asc' })) {
    const [call] = await store.queryToolCalls({ agentId });
    let recovered = false;
    for await (const { event } of store.readEvents(agentId)) recovered ||= event.type === 'recovered';
    tell(`${JSON.stringify(call?.output)}: ${status}${recovered ? ', after its worker had died' : ''}`);
  }
}

/** What the model says when there is no key for a real one. */
const script: Script = ({ input, done: [sent] }) => {
  if (sent) return { text: sent.result };
  return { calls: [{ tool: 'send_invoice', input: { order: Number(/\d+/.exec(input)?.[0]) } }] };
};

function tell(line: string): void {
  console.log(`[process ${process.pid}] ${line}`);
}

function startWorker(): ReturnType<typeof fork> {
  return fork(new URL(import.meta.url), [dbPath, 'work']);
}

const [dbPath = './data/worker.db', role] = process.argv.slice(2);
const store = await createExtendedStore({ type: 'sqlite', dbPath });
await (role === 'work' ? work(store) : drive(store));
await store.close();
