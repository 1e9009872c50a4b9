import { AgentNotFoundError } from '../../errors.ts';
import type { SqlContext } from '../context.ts';
import type { AgentKeys } from '../directory.ts';

/** What a query asks of an agent that doesn't exist is not there. `read` answers undefined for a lost key. */
export async function ofAgent<T>(
  context: SqlContext,
  agentId: string,
  none: T,
  read: (keys: AgentKeys) => Promise<T | undefined>,
): Promise<T> {
  try {
    return await context.directory.resolve(agentId, read);
  } catch (error) {
    if (error instanceof AgentNotFoundError) return none;
    throw error;
  }
}
