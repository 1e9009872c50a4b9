import { AgentNotFoundError } from '../../errors.ts';
import type { SqlContext } from '../context.ts';
import { exists, type Lookup, ofAgent } from '../lookup.ts';
import type { SqlValue } from '../port/values.ts';
import type { Query } from './params.ts';

/** What a query asks of an agent that doesn't exist is not there. */
export async function rowsOfAgent(
  context: SqlContext,
  agentId: string,
  read: (lookup: Lookup) => Promise<SqlValue[][] | undefined>,
): Promise<SqlValue[][]> {
  try {
    return await ofAgent(context, agentId, read);
  } catch (error) {
    if (error instanceof AgentNotFoundError) return [];
    throw error;
  }
}

/** Runs a query of one agent; undefined when the agent is gone. */
export async function readOfAgent(
  { driver }: SqlContext,
  lookup: Lookup,
  { statement, params }: Query,
): Promise<SqlValue[][] | undefined> {
  const rows = await driver.read(statement, params);
  return rows.length > 0 || (await exists(driver, lookup)) ? rows : undefined;
}
