/**
 * Decides what an agent waits for: node decide.ts AGENT allow | deny BY [NOTE]. It has the store and nothing
 * else: no model, no template, no lease.
 */
import { createExtendedStore } from '../../src/index.ts';
import { tell } from './narrate.ts';

process.once('disconnect', () => process.exit(1));
process.channel?.unref();

const [agentId = '', wanted, by, note] = process.argv.slice(2);
const decision = wanted === 'allow' ? 'allow' : 'deny';
await using store = await createExtendedStore();
for (const call of await store.queryToolCalls({ agentId, state: 'approval_required' })) {
  const { toolCallId, callSeq, toolName, input } = call;
  tell('finds', `${toolName} ${JSON.stringify(input)} waiting`);
  await store.decideApproval(agentId, toolCallId, { decision, by, note, callSeq });
  tell('decides', `${decision}, by ${by}${note === undefined ? '' : `: ${note}`}`);
}
