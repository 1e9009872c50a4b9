/**
 * A conversation that outlives its process: a step is committed, a tool call waits for somebody's
 * approval, another store (it could be another process) decides, and a fork tries another way.
 *
 * Run it: npx tsx examples/quick-start.ts [FILE]
 */
import { createExtendedStore } from '../src/index.ts';

const dbPath = process.argv[2] ?? './data/quick-start.db';
const config = { type: 'sqlite', dbPath } as const;
const agentId = `agt-example-${Date.now()}`;

// One process holds the agent's lease and commits what the model asked for, all of it or none of it.
const first = await createExtendedStore(config);
await first.commit(agentId, { info: { templateId: 'refunds', status: 'running' }, expectedVersion: 0 });
const lease = await first.acquireAgentLock(agentId);
await first.commit(agentId, {
  messages: [
    { role: 'user', content: [{ type: 'text', text: 'Please refund order 1042.' }] },
    {
      role: 'assistant',
      content: [{ type: 'tool_use', id: 'call_1', name: 'refund', input: { order: 1042, amount: 30 } }],
    },
  ],
  toolCalls: [{ toolCallId: 'call_1', state: 'approval_required' }],
  events: [{ channel: 'control', type: 'approval_requested', toolCallId: 'call_1' }],
  info: { status: 'awaiting_approval' },
  lease,
  operationId: 'turn-1:step-1',
});
await first.close();
console.log('The first process is gone. The call waits in the file.');

// Another one finds the call and decides. It needs no lease for that.
const second = await createExtendedStore(config);
const [waiting] = await second.queryToolCalls({ state: 'approval_required', agentId });
console.log(`Waiting: ${waiting?.toolName} ${JSON.stringify(waiting?.input)}`);
await second.decideApproval(agentId, 'call_1', { decision: 'allow', by: 'ana', note: 'within the limit' });

// A worker picks up what can go on, runs the tool, and commits the result with its record.
for (const claimed of await second.claimResumable({ limit: 10 })) {
  if (claimed.agentId !== agentId) {
    await claimed.release();
    continue;
  }
  await second.commit(agentId, {
    messages: [
      {
        role: 'user',
        content: [{ type: 'tool_result', tool_use_id: 'call_1', content: 'refunded 30' }],
      },
      { role: 'assistant', content: [{ type: 'text', text: 'Your refund is on its way.' }] },
    ],
    toolCalls: [{ toolCallId: 'call_1', state: 'completed', output: { refunded: 30 } }],
    info: { status: 'idle' },
    lease: claimed,
  });
  await claimed.release();
}

// A fork shares the history before the answer and goes its own way.
const fork = await second.fork(agentId, { at: 3 });
await second.appendMessages(fork, [
  { role: 'assistant', content: [{ type: 'text', text: 'Done: 30 were refunded for order 1042.' }] },
]);
for (const id of [agentId, fork]) {
  const last = (await second.loadMessages(id)).at(-1);
  console.log(`${id === fork ? 'Fork' : 'Original'}: ${JSON.stringify(last?.content)}`);
}
const [call] = await second.queryToolCalls({ agentId, toolName: 'refund' });
console.log(
  `Decided by ${call?.approval.decidedBy}: ${call?.auditTrail.map((entry) => entry.state).join(' → ')}`,
);
console.log(`Statistics: ${JSON.stringify((await second.aggregateStats(agentId)).toolCallsByState)}`);
await second.close();
