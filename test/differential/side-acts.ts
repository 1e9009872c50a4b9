import assert from 'node:assert/strict';
import { toMessages } from './drafts.ts';
import type { Operation } from './operation.ts';
import type { Run } from './run.ts';

type Of<O extends Operation['op']> = Extract<Operation, { op: O }>;

// What lies beside the conversation.

export async function info(run: Run, { agent, info: patch }: Of<'info'>): Promise<void> {
  const agentId = run.agentId(agent);
  if (!run.model.find(agentId)) {
    await run.commit(agentId, { info: patch });
    return;
  }
  await run.write(
    agentId,
    () => run.store.saveInfo(agentId, patch),
    (at) => run.model.saveInfo(agentId, patch, at),
  );
}

export async function todos(run: Run, { agent, todos: items }: Of<'todos'>): Promise<void> {
  const agentId = run.agentId(agent);
  await run.write(
    agentId,
    () => run.store.saveTodos(agentId, { todos: items }),
    (at) => {
      run.model.commit(agentId, { todos: { todos: items } }, at);
    },
  );
}

export async function document(run: Run, { agent, name: n, content, remove }: Of<'document'>): Promise<void> {
  const agentId = run.agentId(agent);
  const kind = n === 0 ? 'compression' : 'recovered-file';
  const name = `src/${n}\\a`;
  if (!remove) {
    await run.write(
      agentId,
      () => run.store.saveDocument(agentId, { kind, name, content }),
      (at) => run.model.saveDocument(agentId, kind, name, content, at),
    );
    return;
  }
  const there = run.model.find(agentId)?.documents.some((one) => one.kind === kind && one.name === name);
  const before = run.model.find(agentId)?.version ?? 0;
  await run.write(
    agentId,
    () => run.store.deleteDocument(agentId, kind, name),
    () => run.model.deleteDocument(agentId, kind, name),
  );
  const version = (await run.store.loadInfo(agentId))?.version;
  if (version === undefined) return;
  if (there) assert.equal(version, before + 1);
  run.model.setVersion(agentId, version);
}

export async function usage(run: Run, { agent, model, tokens, latencyMs }: Of<'usage'>): Promise<void> {
  const used = { model: `model ${model}`, inputTokens: tokens, cachedTokens: model };
  await run.commit(run.agentId(agent), { usage: [latencyMs === undefined ? used : { ...used, latencyMs }] });
}

export async function compact(run: Run, act: Of<'compact'>): Promise<void> {
  const agentId = run.agentId(act.agent);
  const messages = toMessages(act.more);
  const length = (run.model.find(agentId)?.rows.length ?? 0) + messages.length;
  // Now and then beyond the conversation.
  const seq = act.position === 12 ? length + 1 : Math.min(act.position, length);
  await run.commit(agentId, { messages, compaction: { seq, messages: toMessages(act.summary) } });
}

export async function event(run: Run, { agent, count, narrow }: Of<'event'>): Promise<void> {
  const agentId = run.agentId(agent);
  const happened = { channel: 'monitor', type: 'x', n: run.ticks } as const;
  if (narrow) {
    const result = await run.both(
      () => run.store.appendEvent(agentId, happened),
      () => run.model.appendEvent(agentId, happened, run.model.get(agentId).lastAt),
    );
    if (result) assert.equal(result.actual, result.expected);
    return;
  }
  const at = run.tick();
  const change = { events: Array.from({ length: count }, () => happened), at, allowFuture: true };
  const result = await run.both(
    () => run.store.commit(agentId, change),
    () => run.model.commit(agentId, change, at.getTime()),
  );
  if (result) assert.deepEqual(result.actual, result.expected);
}

export async function delta(run: Run, { agent }: Of<'delta'>): Promise<void> {
  const found = run.living(agent);
  if (!found) return;
  for (const text of ['Hel', 'Hello']) {
    await run.store.saveDelta(found.id, { text });
    assert.deepEqual((await run.store.loadDelta(found.id)).at(-1), { text });
  }
  await run.commit(found.id, {
    messages: [{ role: 'assistant', content: [{ type: 'text', text: 'Hello' }] }],
  });
  assert.deepEqual(await run.store.loadDelta(found.id), []);
}
