import { AgentExistsError, ValidationError } from '../../errors.ts';
import { validateAgentId, validateId } from '../../model/ids.ts';
import { UniqueViolation } from '../driver.ts';
import type { Engine } from '../engine.ts';
import { type ForkTarget, forkAgent } from './fork.ts';

/** Checks a fork's arguments, reserves keys for the new agents, and forks them in one transaction. */
export async function createForks(
  { context: { directory, driver } }: Engine,
  sourceId: string,
  at: string | number | undefined,
  agentIds: string[],
): Promise<string[]> {
  checkPosition(at);
  const targets: ForkTarget[] = [];
  for (const agentId of agentIds) {
    validateAgentId(agentId);
    targets.push({ agentId, agent: await directory.newKey(), branch: await directory.newKey() });
  }
  try {
    await directory.resolve(sourceId, async (keys) => {
      const forked = await driver.transact(() => forkAgent(sourceId, keys, at, targets));
      if (!forked) return undefined;
      for (const target of targets)
        directory.remember(target.agentId, { tree: keys.tree, agent: target.agent });
      return true;
    });
  } catch (error) {
    const [first] = agentIds;
    if (error instanceof UniqueViolation && error.table === 'directory' && first !== undefined) {
      throw new AgentExistsError(first);
    }
    throw error;
  }
  return agentIds;
}

function checkPosition(at: unknown): void {
  if (at === undefined) return;
  if (typeof at === 'string') {
    validateId('at', at);
  } else if (typeof at !== 'number' || !Number.isSafeInteger(at) || at < 0) {
    throw new ValidationError('at', "must be a snapshot's id or a whole number of messages, 0 or more");
  }
}
