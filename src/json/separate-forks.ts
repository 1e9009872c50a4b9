import { CorruptDataError, SchemaVersionError, StoreClosedError } from '../errors.ts';
import type { AgentFiles } from './agent-files.ts';

/**
 * In folders of 3.0.0-alpha.1 and 3.0.0-alpha.2, what a fork inherited was in its parent's log, or in what was left of
 * it. Gives every such fork a log of its own, so that no log needs another one. A fork that has it is left alone: a
 * process that is killed in the midst of this leaves the rest to the next one, as does one whose `signal` or `closing`
 * aborts. `ancestors` is there until all have it.
 */
export async function separateForks(
  files: AgentFiles,
  { signal, closing }: { signal?: AbortSignal | undefined; closing?: AbortSignal | undefined },
): Promise<void> {
  const { disk, paths } = files;
  if (!(await disk.namesIn(paths.ancestors))) return;
  let isWhole = true;
  for (const name of await disk.names(paths.agents)) {
    signal?.throwIfAborted();
    if (closing?.aborted) throw new StoreClosedError();
    try {
      await separate(files, name);
    } catch (error) {
      // Its callers are told of it. Once it is restored from a backup, it may need what is there now.
      if (!(error instanceof CorruptDataError || error instanceof SchemaVersionError)) throw error;
      isWhole = false;
    }
  }
  if (isWhole) await disk.removeTree(paths.ancestors);
}

async function separate(files: AgentFiles, name: string): Promise<void> {
  const agentId = await files.idOf(name);
  if (agentId === undefined || !(await files.headerOf(agentId))?.base) return;
  const agent = await files.open(agentId);
  if (!agent) return;
  try {
    await files.makeWritable(agent);
  } finally {
    await agent.log.close();
  }
}
