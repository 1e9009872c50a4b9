import { AgentNotFoundError } from '../errors.ts';

/** Who resumes an agent makes one with a call of the agent's, not of the store's. */
export function notMade(agentId: string, cause?: unknown): AgentNotFoundError {
  const remedy = 'Create it with Agent.create(), or with Agent.open(), which creates or resumes it';
  return new AgentNotFoundError(agentId, remedy, { cause });
}

/** Says how to make the agent, where it isn't there to be opened. */
export async function orNotMade<T>(agentId: string, opening: Promise<T>): Promise<T> {
  try {
    return await opening;
  } catch (error) {
    throw error instanceof AgentNotFoundError ? notMade(agentId, error) : error;
  }
}
