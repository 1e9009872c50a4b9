import type { DocumentKind, LeaseToken } from '../model/agent.ts';
import type { OpenAgent } from './agent-files.ts';
import { removeDocument, writeDocument } from './document-files.ts';
import type { Engine } from './engine.ts';
import type { DocumentChange } from './entry.ts';
import { documentKey } from './state.ts';

interface NewDocument {
  kind: DocumentKind;
  name: string;
  /** JSON text. */
  content: string;
  lease: LeaseToken | undefined;
}

/** First the new content, then the entry that makes it count, then the old content goes. */
export function saveDocument(engine: Engine, agentId: string, document: NewDocument): Promise<void> {
  const { kind, name, lease } = document;
  const { files } = engine;
  return engine.cell(agentId).change(async (agent) => {
    engine.leases.check(agentId, lease);
    const { state, directory } = agent;
    const before = state.documents.get(documentKey(kind, name));
    const n = state.n + 1;
    const at = Math.max(engine.clock.now(), state.lastAt);
    try {
      await writeDocument(files, { directory, n, key: state.header.key }, document);
      await append(engine, agentId, agent, at, { kind, name, createdAt: before?.createdAt ?? at });
    } catch (error) {
      // An entry that couldn't be taken back may be found after a crash, and names this file; if not, it is a stray one.
      if (!agent.log.refused) await removeDocument(files, directory, n);
      throw error;
    }
    if (before) await removeDocument(files, directory, before.n);
  });
}

export function deleteDocument(
  engine: Engine,
  agentId: string,
  { kind, name, lease }: { kind: DocumentKind; name: string; lease: LeaseToken | undefined },
): Promise<void> {
  const { files } = engine;
  return engine.cell(agentId).change(async (agent) => {
    engine.leases.check(agentId, lease);
    const { state, directory } = agent;
    const before = state.documents.get(documentKey(kind, name));
    const at = Math.max(engine.clock.now(), state.lastAt);
    await append(engine, agentId, agent, at, {
      kind,
      name,
      createdAt: before?.createdAt ?? at,
      removed: true,
    });
    if (before) await removeDocument(files, directory, before.n);
  });
}

function append(
  engine: Engine,
  agentId: string,
  agent: OpenAgent,
  at: number,
  document: DocumentChange,
): Promise<void> {
  const { n, version } = agent.state;
  return engine.cell(agentId).append(agent, [{ n: n + 1, at, version: version + 1, document }]);
}
