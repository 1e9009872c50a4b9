/**
 * One process asks, another decides, a third goes on: what they share is the database.
 *
 * Run it: npx tsx examples/approval-across-processes.ts [DATABASE]
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { z } from 'zod';
import {
  Agent,
  AlreadyDecidedError,
  createExtendedStore,
  defineTool,
  type ExtendedStore,
  generateAgentId,
} from '../src/index.ts';
import { chooseModel } from './support/choose-model.ts';
import type { Script } from './support/scripted-model.ts';

const refundInput = z.object({ order: z.number(), amount: z.number() });

const refund = defineTool({
  name: 'refund',
  description: 'Pays money back for an order.',
  inputSchema: refundInput,
  // It could look at the amount, too, and ask only for large ones.
  needsApproval: true,
  execute: ({ order, amount }) => {
    tell(`the tool pays back ${amount} for order ${order}`);
    return `${amount} paid back for order ${order}`;
  },
});

const template = {
  id: 'refunds',
  systemPrompt: 'You help the customers of a shop. Ask for all the refunds of a request at once.',
  tools: [refund],
};

/** The process of the web server that took the customer's request. It doesn't wait for the decisions. */
async function ask(store: ExtendedStore, agentId: string): Promise<void> {
  const provider = await chooseModel(script);
  const agent = await Agent.create({ provider, store, template, agentId });
  const result = await agent.run('Please refund 30 for order 1042 and 900 for order 1043.');
  tell(`${result.status}: ${result.approvals.length} calls wait, and this process ends`);
}

/** The process of the back office. It needs neither model nor template. */
async function decide(store: ExtendedStore, agentId: string): Promise<void> {
  for (const { toolCallId, callSeq, input } of await store.queryToolCalls({
    agentId,
    state: 'approval_required',
    order: 'asc',
  })) {
    const { order, amount } = refundInput.parse(input);
    const decision = amount <= 100 ? 'allow' : 'deny';
    const note = amount <= 100 ? 'small' : 'more than 100 needs a written request';
    await store.decideApproval(agentId, toolCallId, { decision, by: 'ana', note, callSeq });
    tell(`ana decides on ${amount} for order ${order}: ${decision} (${note})`);
    try {
      await store.decideApproval(agentId, toolCallId, { decision: 'allow', by: 'ben', callSeq });
    } catch (error) {
      if (!(error instanceof AlreadyDecidedError)) throw error;
      tell('ben comes too late: a call is decided once');
    }
  }
}

/** Any process, at any later time: a worker finds such agents with claimResumable(), see worker.ts. */
async function goOn(store: ExtendedStore, agentId: string): Promise<void> {
  const provider = await chooseModel(script, () => undefined);
  const agent = await Agent.resume(agentId, { provider, store, template });
  const { status, text } = await agent.run();
  tell(`${status}: ${text}`);
  for (const call of await store.queryToolCalls({ agentId, order: 'asc' })) {
    const way = call.auditTrail.map(({ state }) => state).join(' → ');
    tell(`${call.toolName} ${JSON.stringify(call.input)}: ${way}, decided by ${call.approval.decidedBy}`);
  }
}

/** What the model says when there is no key for a real one. */
const script: Script = ({ done }) => {
  if (done.length > 0) return { text: done.map(({ result }) => result).join('. ') };
  const refunds = [
    { order: 1042, amount: 30 },
    { order: 1043, amount: 900 },
  ];
  return { calls: refunds.map((input) => ({ tool: 'refund', input })) };
};

function tell(line: string): void {
  console.log(`[process ${process.pid}] ${line}`);
}

const [dbPath = './data/approval.db', role, agentId = ''] = process.argv.slice(2);
const roles: Record<string, typeof ask> = { ask, decide, goOn };
if (role === undefined) {
  const id = generateAgentId();
  for (const name of Object.keys(roles)) {
    const [code] = await once(fork(new URL(import.meta.url), [dbPath, name, id]), 'exit');
    if (code !== 0) process.exit(1);
  }
} else {
  const store = await createExtendedStore({ type: 'sqlite', dbPath });
  await roles[role]?.(store, agentId);
  await store.close();
}
