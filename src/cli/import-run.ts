import type { AgentInfoInput } from '../model/agent.ts';
import type { Store } from '../store/store.ts';
import { eachConcurrently } from './concurrently.ts';
import type { Conversation } from './conversation-file.ts';
import type { PlannedAgent } from './import-plan.ts';
import { convertConversation, type ImportStep } from './openai-chat.ts';

export interface ImportOptions {
  templateId?: string | undefined;
  /** Name of the file, for the agents' metadata. */
  source: string;
  /** Called after each commit. */
  onMessage(): void;
}

export interface ImportCounts {
  agents: number;
  messages: number;
  toolCalls: number;
}

/** Stores what is left of the planned conversations and counts what it stored. */
export async function runImport(
  store: Store,
  agents: readonly PlannedAgent[],
  options: ImportOptions,
): Promise<ImportCounts> {
  const counts: ImportCounts = { agents: 0, messages: 0, toolCalls: 0 };
  await eachConcurrently(agents, async (agent) => {
    const { steps } = convertConversation(agent.conversation.messages);
    let { version } = agent;
    for (const step of steps.slice(agent.done)) {
      const info = version === 0 ? agentInfo(agent.conversation, options) : undefined;
      version = await commitStep(store, agent.agentId, step, version, info);
      counts.messages += 1;
      counts.toolCalls += step.message.content.filter((block) => block.type === 'tool_use').length;
      options.onMessage();
    }
    counts.agents += 1;
  });
  return counts;
}

/**
 * One step, one commit: a crash leaves whole steps only. The version in the operation's id makes another
 * import of the same file at the same moment a repetition, not a second copy.
 */
async function commitStep(
  store: Store,
  agentId: string,
  { message, toolCalls }: ImportStep,
  version: number,
  info: AgentInfoInput | undefined,
): Promise<number> {
  const result = await store.commit(agentId, {
    messages: [message],
    toolCalls: toolCalls.length > 0 ? toolCalls : undefined,
    info,
    expectedVersion: version,
    operationId: `import:${version}`,
  });
  return result.version;
}

function agentInfo({ attributes, position }: Conversation, options: ImportOptions): AgentInfoInput {
  return {
    templateId: options.templateId,
    metadata: {
      ...scalars(attributes),
      import: { format: 'openai-chat', file: options.source, position },
    },
  };
}

/** The single values beside the messages (a task's number, a score): what a metadata filter can ask for. */
function scalars(attributes: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(attributes).filter(([, value]) => isScalar(value)));
}

function isScalar(value: unknown): boolean {
  return typeof value === 'string' || typeof value === 'boolean' || Number.isFinite(value);
}
