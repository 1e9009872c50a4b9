import { AgentNotFoundError } from '../errors.ts';
import type { LoadedAgent } from '../model/agent.ts';
import { appendAll } from '../model/lists.ts';
import type { Message } from '../model/message.ts';
import type { Store } from '../store/store.ts';
import { eachConcurrently } from './concurrently.ts';
import type { Conversation } from './conversation-file.ts';
import { agentIdSource } from './conversation-id.ts';
import { convertConversation, type Problem } from './openai-chat.ts';

/** A conversation of which something is still to be stored. */
export interface PlannedAgent {
  agentId: string;
  conversation: Conversation;
  /** Messages in all, and those that an earlier import stored. */
  messages: number;
  done: number;
  /** The agent's version; 0 when there is no such agent yet. */
  version: number;
}

export interface BadRecord extends Problem {
  /** 0-based position of the conversation in the file. */
  conversation: number;
}

export interface ImportPlan {
  agents: PlannedAgent[];
  /** Conversations that are stored already, to the end. */
  complete: number;
  bad: BadRecord[];
}

/** Looks at everything, in the file and in the store, before anything is written. */
export async function planImport(
  store: Store,
  conversations: readonly Conversation[],
  prefix: string,
): Promise<ImportPlan> {
  const plan: ImportPlan = { agents: [], complete: 0, bad: [] };
  const idOf = agentIdSource(prefix);
  const candidates: PlannedAgent[] = [];
  for (const conversation of conversations) {
    const { steps, problems } = examine(conversation);
    if (problems.length > 0) appendAll(plan.bad, problems);
    else {
      const agentId = idOf(conversation);
      candidates.push({ agentId, conversation, messages: steps, done: 0, version: 0 });
    }
  }
  const conflicts = new Set<PlannedAgent>();
  await eachConcurrently(candidates, async (agent) => {
    if (!(await findStored(store, agent))) conflicts.add(agent);
  });
  for (const agent of candidates) {
    if (conflicts.has(agent)) {
      const text = `agent "${agent.agentId}" exists and holds another conversation; pass another --prefix`;
      plan.bad.push({ conversation: agent.conversation.position, text });
    } else if (agent.done < agent.messages) plan.agents.push(agent);
    else plan.complete += 1;
  }
  plan.bad.sort((a, b) => a.conversation - b.conversation);
  return plan;
}

function examine(conversation: Conversation): { steps: number; problems: BadRecord[] } {
  const { position, fault, messages } = conversation;
  if (fault !== undefined) return { steps: 0, problems: [{ conversation: position, text: fault }] };
  const { steps, problems } = convertConversation(messages);
  return {
    steps: steps.length,
    problems: problems.map((problem) => ({ conversation: position, ...problem })),
  };
}

/** Notes what is stored of the agent; false when that isn't the beginning of this conversation. */
async function findStored(store: Store, agent: PlannedAgent): Promise<boolean> {
  const stored = await loadIfThere(store, agent.agentId);
  if (!stored) return true;
  const { steps } = convertConversation(agent.conversation.messages);
  agent.version = stored.info.version;
  agent.done = Math.min(stored.messages.length, steps.length);
  // An agent that was worked with after its import has more messages than the file, and is complete.
  return steps.slice(0, agent.done).every((step, seq) => isSame(step.message, stored.messages[seq]));
}

async function loadIfThere(store: Store, agentId: string): Promise<LoadedAgent | undefined> {
  try {
    return await store.loadAgent(agentId);
  } catch (error) {
    if (error instanceof AgentNotFoundError) return undefined;
    throw error;
  }
}

function isSame(message: Message, stored: Message | undefined): boolean {
  return JSON.stringify(message) === JSON.stringify(stored);
}
