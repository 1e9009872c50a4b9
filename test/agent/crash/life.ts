import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { jsonSchema } from 'ai';
import { Agent } from '../../../src/agent/agent.ts';
import { defineTool } from '../../../src/agent/define-tool.ts';
import { ApprovalRequiredError } from '../../../src/agent/errors.ts';
import type { LanguageModel } from '../../../src/agent/model.ts';
import type { AgentTemplate } from '../../../src/agent/template.ts';
import type { ToolContext } from '../../../src/agent/tool-context.ts';
import type { TurnResult } from '../../../src/agent/turn.ts';
import type { ExtendedStore } from '../../../src/store/store.ts';

export const INPUT = 'Write the three lines.';
export const FINAL = 'The three lines are written.';
/** The tools in the order in which the model calls them; the last one needs an approval. */
export const TOOLS = ['append_line', 'put_line', 'send_line'] as const;
export type ToolName = (typeof TOOLS)[number];

/** Long enough for a busy machine to renew a lease in time, short enough to wait for a dead holder's. */
export const TTL_MS = 10_000;
const PATIENCE_MS = 60_000;
const OPERATION = 'the-input';

/** How whoever finds the agent goes on with it. */
export type Way =
  /** It resumes the agent and runs it. */
  | 'run'
  /** It knows nothing, and sends the input again under the same name. */
  | 'repeat'
  /** It is a worker that is given whatever was cut off. */
  | 'claim';
export const WAYS: Way[] = ['run', 'repeat', 'claim'];

/** What one process needs to live an agent's life, or its rest. */
export interface Life {
  store: ExtendedStore;
  model: LanguageModel;
  agentId: string;
  /** What the tools do is seen here. */
  directory: string;
  way: Way;
  /** Called when a tool has taken effect, before anybody knows. */
  onEffect?: (tool: ToolName) => unknown;
}

/** From nothing to the final answer. */
export async function live(life: Life): Promise<TurnResult> {
  const { store, model: provider, agentId, way } = life;
  const agent = await Agent.create({
    agentId,
    provider,
    store,
    template: writerTemplate(life),
    ttlMs: TTL_MS,
  });
  const options = way === 'repeat' ? { operationId: OPERATION } : {};
  return conclude(agent, () => agent.run(INPUT, options));
}

/** The rest of a life that was cut off anywhere, once its holder's lease has run out. */
export async function goOn(life: Life): Promise<TurnResult> {
  const { store, model: provider, agentId, way } = life;
  const options = { provider, store, template: writerTemplate(life), ttlMs: TTL_MS };
  if (way === 'claim') {
    await decideFromOutside(store, agentId);
    if (await wasCutOff(store, agentId)) {
      const agent = await Agent.resume(agentId, { ...options, lease: await claim(store, agentId) });
      return conclude(agent, () => agent.run());
    }
  }
  const agent = await Agent.open(agentId, { ...options, waitMs: PATIENCE_MS });
  if (way === 'repeat') return conclude(agent, () => agent.run(INPUT, { operationId: OPERATION }));
  const started = (await store.loadMessages(agentId)).length > 0;
  return conclude(agent, () => agent.run(started ? undefined : INPUT));
}

/** Decides what waits, and runs until there is an answer. */
async function conclude(agent: Agent, begin: () => Promise<TurnResult | undefined>): Promise<TurnResult> {
  let result = await begin().catch((error: unknown) => {
    if (error instanceof ApprovalRequiredError) return undefined;
    throw error;
  });
  for (let round = 0; round < 2 && result?.status !== 'completed'; round += 1) {
    for (const { toolCallId } of await agent.pendingApprovals()) {
      await agent.approve(toolCallId, { by: 'ana' });
    }
    result = await agent.run();
  }
  if (result === undefined) throw new Error('There is no result.');
  await agent.close();
  return result;
}

/** Whoever decides needs neither the agent nor its lease. */
async function decideFromOutside(store: ExtendedStore, agentId: string): Promise<void> {
  if (!(await store.exists(agentId))) return;
  for (const { toolCallId, state } of await store.loadToolCallRecords(agentId)) {
    if (state === 'approval_required') {
      await store.decideApproval(agentId, toolCallId, { decision: 'allow', by: 'ana' });
    }
  }
}

async function wasCutOff(store: ExtendedStore, agentId: string): Promise<boolean> {
  const status = (await store.loadInfo(agentId))?.status;
  return status === 'running' || status === 'awaiting_approval';
}

async function claim(store: ExtendedStore, agentId: string) {
  const deadline = Date.now() + PATIENCE_MS;
  while (Date.now() < deadline) {
    const [lease] = await store.claimResumable({ limit: 1, ttlMs: TTL_MS });
    if (lease) return lease;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`${agentId} was cut off, and nobody is given it.`);
}

export function writerTemplate({ directory, onEffect }: Pick<Life, 'directory' | 'onEffect'>): AgentTemplate {
  const tool = (
    name: ToolName,
    more: { idempotent?: boolean; needsApproval?: boolean },
    effect: (line: string, context: ToolContext) => void,
  ) =>
    defineTool({
      ...more,
      name,
      inputSchema: jsonSchema<{ line: string }>({
        type: 'object',
        properties: { line: { type: 'string' } },
        required: ['line'],
      }),
      async execute({ line }, context) {
        // All at once and without a pause: it has taken effect, or it hasn't.
        effect(line, context);
        await onEffect?.(name);
        return `${line} is written`;
      },
    });
  return {
    id: 'writer',
    systemPrompt: 'You write lines.',
    tools: [
      tool('append_line', {}, (line) => appendFileSync(join(directory, 'append_line'), `${line}\n`)),
      tool('put_line', { idempotent: true }, (line, { idempotencyKey }) => {
        mkdirSync(join(directory, 'put_line'), { recursive: true });
        writeFileSync(join(directory, 'put_line', encodeURIComponent(idempotencyKey)), line);
      }),
      tool('send_line', { needsApproval: true }, (line) =>
        appendFileSync(join(directory, 'send_line'), `${line}\n`),
      ),
    ],
  };
}
