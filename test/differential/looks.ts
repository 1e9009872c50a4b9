import assert from 'node:assert/strict';
import type { AgentInfo } from '../../src/model/agent.ts';
import { DOCUMENT_KINDS } from '../../src/model/agent.ts';
import type { MessageRecord } from '../../src/model/message.ts';
import { type AgentToolCallRecord, isTerminal } from '../../src/model/tool-call.ts';
import type { MessageQueryFilter, SessionQueryFilter, ToolCallQueryFilter } from '../../src/store/filters.ts';
import type { ExtendedStore } from '../../src/store/store.ts';
import { collect } from '../../src/testing/samples.ts';
import type { ModelAgent } from './model-agent.ts';
import { infoOf, isAnswered, parseMessage } from './model-agent.ts';
import * as queries from './model-queries.ts';
import type { Operation, RangeDraft } from './operation.ts';
import type { Run } from './run.ts';
import { callView, samePage, statsView, view } from './views.ts';

type Of<O extends Operation['op']> = Extract<Operation, { op: O }>;

/** Everything that can be loaded of one agent. */
export async function look(run: Run, agentId: string): Promise<void> {
  const { store, model } = run;
  const agent = model.find(agentId);
  if (!agent) {
    assert.equal(await store.loadInfo(agentId), undefined);
    await run.both(
      () => store.loadAgent(agentId),
      () => model.get(agentId),
    );
    return;
  }
  const loaded = await store.loadAgent(agentId);
  sameInfo(loaded.info, agent);
  sameInfo(await store.loadInfo(agentId), agent);
  const texts = agent.rows.map((row) => row.text);
  assert.deepEqual(textsOf(loaded.messages), texts);
  assert.deepEqual(textsOf(await store.loadMessages(agentId)), texts);
  const calls = agent.calls.map((call) => callView(call.record));
  assert.deepEqual(loaded.toolCalls.map(callView), calls);
  assert.deepEqual((await store.loadToolCallRecords(agentId)).map(callView), calls);
  assert.equal(view(loaded.todos), view(agent.todos));
  assert.equal(view(await store.loadTodos(agentId)), view(agent.todos));

  const last = agent.compactions.at(-1);
  const context = [...(last?.messages ?? []), ...texts.slice(last?.seq ?? 0)];
  assert.deepEqual(textsOf(await store.loadContext(agentId)), context);
  const compactions = agent.compactions.map(({ seq, messages, createdAt }) => ({
    seq,
    messages: messages.map(parseMessage),
    createdAt: new Date(createdAt),
  }));
  assert.deepEqual((await store.loadCompactions(agentId)).map(view), compactions.map(view));
  assert.equal(view(loaded.compaction), view(compactions.at(-1)));

  const open = agent.calls.filter(({ record }) => {
    return record.messageSeq === undefined ? !isTerminal(record.state) : !isAnswered(agent.rows, record);
  });
  const openViews = open.map((call) => callView(call.record));
  assert.deepEqual((await store.loadOpenCalls(agentId)).map(callView), openViews);
  const working = await store.loadWorkingSet(agentId);
  sameInfo(working.info, agent);
  assert.deepEqual(textsOf(working.messages), texts.slice(last?.seq ?? 0));
  assert.deepEqual([working.openCalls.map(callView), working.callCount], [openViews, calls.length]);
  assert.deepEqual(
    [view(working.todos), view(working.compaction)],
    [view(loaded.todos), view(loaded.compaction)],
  );

  const events = await collect(store.readEvents(agentId));
  assert.deepEqual(
    events.map(({ cursor, bookmark, event }) => [cursor, bookmark.seq, JSON.stringify(event)]),
    agent.events.map((event, n) => [n + 1, n + 1, JSON.stringify(event)]),
  );
  for (const [n, { bookmark }] of events.entries()) {
    assert.ok(n === 0 || bookmark.timestamp >= (events[n - 1]?.bookmark.timestamp ?? 0));
  }
  await lookBeside(run, agent);
}

async function lookBeside({ store }: Run, agent: ModelAgent): Promise<void> {
  const listed = await store.listSnapshots(agent.id);
  const byId = (one: { id: string }, other: { id: string }) => (one.id < other.id ? -1 : 1);
  const expected = agent.snapshots.map(({ id, messages, lastSfpIndex, createdAt, metadata }) => {
    const common = { id, lastSfpIndex, createdAt: new Date(createdAt), metadata };
    return { listed: { ...common, messageCount: messages.length }, loaded: { ...common, messages } };
  });
  assert.deepEqual(
    listed.toSorted(byId).map(view),
    expected
      .map((one) => one.listed)
      .toSorted(byId)
      .map(view),
  );
  for (const { loaded } of expected) {
    const snapshot = await store.loadSnapshot(agent.id, loaded.id);
    assert.ok(snapshot);
    assert.equal(view({ ...snapshot, messages: textsOf(snapshot.messages) }), view(loaded));
  }
  for (const kind of DOCUMENT_KINDS) {
    const documents = (await store.listDocuments(agent.id, kind)).map(view).sort();
    const wanted = agent.documents
      .filter((one) => one.kind === kind)
      .map((one) => ({
        ...one,
        content: JSON.parse(one.content) as unknown,
        createdAt: new Date(one.createdAt),
        updatedAt: new Date(one.updatedAt),
      }));
    assert.deepEqual(documents, wanted.map(view).sort());
  }
}

function textsOf(messages: readonly unknown[]): string[] {
  return messages.map((message) => JSON.stringify(message));
}

function sameInfo(info: AgentInfo | undefined, agent: ModelAgent): void {
  assert.ok(info, `agent ${agent.id}`);
  const { updatedAt, ...rest } = info;
  assert.ok(updatedAt >= rest.createdAt);
  assert.equal(view(rest), view(infoOf(agent)));
}

function range(run: Run, { after, before, form = 'date' }: RangeDraft): object {
  const instant = (share: number) => {
    const ms = run.instant(share);
    return { date: new Date(ms), number: ms, text: new Date(ms).toISOString() }[form];
  };
  return {
    ...(after === undefined ? {} : { createdAfter: instant(after) }),
    ...(before === undefined ? {} : { createdBefore: instant(before) }),
  };
}

function filterOf<F extends object>(run: Run, draft: RangeDraft & { agent?: number }): F {
  const { after: _, before: __, form: ___, agent, ...rest } = draft;
  return {
    ...rest,
    ...range(run, draft),
    ...(agent === undefined ? {} : { agentId: run.agentId(agent) }),
  } as F;
}

export async function querySessions(run: Run, store: ExtendedStore, act: Of<'sessions'>): Promise<void> {
  const filter = filterOf<SessionQueryFilter>(run, act.filter);
  const expected = queries.sessions(run.model, filter);
  const actual = await store.querySessions({ ...filter, ...act.page });
  if (act.page.sortBy === 'updatedAt') {
    // When an agent was touched last is for the store to say; what it says is what it has to sort by.
    const touched = new Map<string, number>();
    for (const one of await store.querySessions({ limit: 10_000 })) touched.set(one.agentId, +one.updatedAt);
    expected.sort(
      (one, other) => (touched.get(one.id) ?? 0) - (touched.get(other.id) ?? 0) || one.key - other.key,
    );
  }
  samePage(
    actual.map(({ updatedAt: _, ...rest }) => rest),
    expected.map(infoOf),
    act.page,
    view,
  );
}

export async function queryMessages(run: Run, store: ExtendedStore, act: Of<'messages'>): Promise<void> {
  const filter = filterOf<MessageQueryFilter>(run, act.filter);
  const { sortBy: _, ...page } = act.page;
  const expected = queries.messages(run.model, filter);
  const instant = filter.agentId === undefined ? (one: MessageRecord) => one.createdAt : undefined;
  samePage(await store.queryMessages({ ...filter, ...page }), expected, page, view, instant);
}

export async function queryToolCalls(run: Run, store: ExtendedStore, act: Of<'tool calls'>): Promise<void> {
  const filter = filterOf<ToolCallQueryFilter>(run, act.filter);
  const { sortBy: _, ...page } = act.page;
  const { calls: expected, copies } = queries.toolCalls(run.model, filter);
  const show = ({ agentId, ...call }: AgentToolCallRecord) => `${agentId} ${callView(call)}`;
  const instant = filter.agentId === undefined ? (one: AgentToolCallRecord) => one.createdAt : undefined;
  if (copies.length === 0) {
    samePage(await store.queryToolCalls({ ...filter, ...page }), expected, page, show, instant);
    return;
  }
  const all = { limit: 10_000, order: 'asc' } as const;
  const found = await store.queryToolCalls({ ...filter, ...all });
  for (const some of copies) withoutCopies(found, some, show);
  samePage(found, expected, all, show, instant);
}

/** Takes away what is found of these, at least one. */
function withoutCopies<T>(found: T[], copies: readonly T[], show: (item: T) => string): void {
  const places = copies.map((copy) => found.findIndex((item) => show(item) === show(copy)));
  const there = places.filter((place) => place >= 0);
  assert.ok(there.length > 0, `none of these: ${copies.map(show).join('\n')}`);
  for (const place of there.sort((one, other) => other - one)) found.splice(place, 1);
}

export async function statistics(run: Run, store: ExtendedStore, act: Of<'statistics'>): Promise<void> {
  const of = act.filter ? filterOf<SessionQueryFilter>(run, act.filter) : run.agentId(act.agent);
  const result = await run.both(
    () => store.aggregateStats(of),
    () => queries.statistics(run.model, of),
  );
  if (result?.expected) assert.equal(statsView(result.actual), statsView(result.expected));
}

/** At the end: every agent, every query over all of them, the iterators, and the store's own check. */
export async function lookAtAll(run: Run): Promise<void> {
  const ids = run.model.agents.map((agent) => agent.id);
  const inBytes = (one: string, other: string) => Buffer.compare(Buffer.from(one), Buffer.from(other));
  assert.deepEqual(await run.store.list(), ids.toSorted(inBytes));
  for (const id of ids) await look(run, id);
  if (!run.extended) return;
  const store = run.store as ExtendedStore;
  for (const order of ['asc', 'desc'] as const) {
    const page = { limit: 10_000, order };
    await querySessions(run, store, { op: 'sessions', filter: {}, page });
    await queryMessages(run, store, { op: 'messages', filter: {}, page });
    await queryToolCalls(run, store, { op: 'tool calls', filter: {}, page });
  }
  const all = { limit: 10_000 };
  const [messages, toolCalls] = [await store.queryMessages(all), await store.queryToolCalls(all)];
  assert.deepEqual(await store.queryMessages({ ...all, order: 'asc' }), messages.toReversed());
  assert.deepEqual(await store.queryToolCalls({ ...all, order: 'asc' }), toolCalls.toReversed());
  assert.deepEqual(await collect(store.iterateSessions()), await store.querySessions(all));
  assert.deepEqual(await collect(store.iterateMessages()), messages);
  assert.deepEqual(await collect(store.iterateToolCalls()), toolCalls);
  await statistics(run, store, { op: 'statistics', agent: 0, filter: {} });
  for (const n of ids.keys()) {
    await statistics(run, store, { op: 'statistics', agent: n, filter: undefined });
  }
  assert.deepEqual((await store.checkConsistency()).issues, []);
}
