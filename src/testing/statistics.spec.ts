import assert from 'node:assert/strict';
import { AgentNotFoundError } from '../errors.ts';
import type { TurnCommit } from '../model/agent.ts';
import type { StatsFilter } from '../store/filters.ts';
import type { ExtendedStore } from '../store/store.ts';
import type { Spec } from './harness.ts';
import {
  answers,
  asks,
  conversation,
  createAgent,
  minute,
  refused,
  toolUse,
  user,
  wrong,
} from './samples.ts';

/** Counts without the zeros: whether an empty count is listed says nothing. */
function present(counts: Record<string, number>): Record<string, number> {
  return Object.fromEntries(Object.entries(counts).filter(([, count]) => count !== 0));
}

async function totals(store: ExtendedStore, of: string | StatsFilter | undefined): Promise<number[]> {
  const stats = await store.aggregateStats(of);
  return [stats.totalAgents, stats.totalMessages, stats.totalToolCalls, stats.totalSnapshots];
}

const STEP: TurnCommit = {
  messages: [
    user('go'),
    { role: 'assistant', content: [toolUse('a', 'search'), toolUse('b', 'search'), toolUse('c', 'bash')] },
    answers('a', 'b'),
    asks('d'),
  ],
  toolCalls: [
    { toolCallId: 'a', state: 'completed', output: 1 },
    { toolCallId: 'b', state: 'failed', error: 'no' },
  ],
};

export function statisticsSpec(spec: Spec): void {
  spec.describe('aggregateStats', () => {
    ofOneAgent(spec);
    ofMany(spec);
    ofForks(spec);
  });
}

function ofOneAgent(spec: Spec): void {
  spec.extended('counts messages, tool calls by state and name, and snapshots', async (context) => {
    await createAgent(context.store, 'a');
    await context.store.commit('a', STEP);
    await context.store.saveSnapshot('a', { id: 's1' });
    await context.store.saveSnapshot('a', { id: 's2' });
    await createAgent(context.store, 'other', [asks('x')]);
    const stats = await (await context.reopen()).aggregateStats('a');
    assert.equal(stats.totalAgents, 1);
    assert.equal(stats.totalMessages, 4);
    assert.equal(stats.totalToolCalls, 4);
    assert.equal(stats.totalSnapshots, 2);
    assert.deepEqual(present(stats.toolCallsByState), { completed: 1, failed: 1, pending: 2 });
    assert.deepEqual(present(stats.toolCallsByName), { search: 3, bash: 1 });
    assert.equal(stats.errorRate, 0.25);
  });

  spec.extended('is all zeros for an agent without anything', async (context) => {
    await createAgent(context.store, 'a');
    const stats = await (await context.reopen()).aggregateStats('a');
    assert.deepEqual([stats.totalMessages, stats.totalToolCalls, stats.totalSnapshots], [0, 0, 0]);
    assert.deepEqual(present(stats.toolCallsByState), {});
    assert.deepEqual(present(stats.toolCallsByName), {});
    assert.equal(stats.errorRate, 0);
    assert.deepEqual(stats.tokensByModel, {});
    assert.ok(!('toolLatencyMs' in stats) && !('modelLatencyMs' in stats));
  });

  spec.extended('adds up tokens by model', async (context) => {
    await createAgent(context.store, 'a');
    await context.store.commit('a', {
      usage: [
        { model: 'small', inputTokens: 10, outputTokens: 1, cachedTokens: 5, reasoningTokens: 3 },
        { model: 'large', inputTokens: 1_000 },
      ],
    });
    await context.store.commit('a', { usage: [{ model: 'small', inputTokens: 20, outputTokens: 2 }] });
    const { tokensByModel } = await (await context.reopen()).aggregateStats('a');
    assert.deepEqual(tokensByModel, {
      small: { inputTokens: 30, outputTokens: 3, cachedTokens: 5, reasoningTokens: 3, calls: 2 },
      large: { inputTokens: 1_000, outputTokens: 0, cachedTokens: 0, reasoningTokens: 0, calls: 1 },
    });
  });

  spec.extended('adds up tokens beyond what 64 bits hold', async ({ store }) => {
    const calls = 1_100;
    const most = { model: 'm', inputTokens: Number.MAX_SAFE_INTEGER, outputTokens: 1 };
    await createAgent(store, 'a');
    await store.commit('a', { usage: Array.from({ length: calls }, () => most) });
    const expected = {
      inputTokens: Number(BigInt(Number.MAX_SAFE_INTEGER) * BigInt(calls)),
      outputTokens: calls,
    };
    for (const stats of [await store.aggregateStats('a'), await store.aggregateStats({})]) {
      const { inputTokens, outputTokens } = stats.tokensByModel.m ?? {};
      assert.deepEqual({ inputTokens, outputTokens }, expected);
    }
  });

  spec.extended('gives percentiles of how long tools and models took', async (context) => {
    const durations = [70, 10, 100, 30, 90, 20, 60, 50, 80, 40];
    await createAgent(context.store, 'a');
    await context.store.commit('a', {
      messages: [asks(...durations.map((ms) => `x${ms}`), 'without a duration')],
      toolCalls: durations.map((ms) => ({ toolCallId: `x${ms}`, state: 'completed', durationMs: ms })),
      usage: [{ model: 'm', latencyMs: 7 }, { model: 'm', latencyMs: 5 }, { model: 'm' }],
    });
    const stats = await (await context.reopen()).aggregateStats('a');
    assert.deepEqual(stats.toolLatencyMs, { p50: 50, p95: 100, p99: 100 });
    assert.deepEqual(stats.modelLatencyMs, { p50: 5, p95: 7, p99: 7 });
  });

  spec.extended('counts a duration of zero', async (context) => {
    await createAgent(context.store, 'a');
    await context.store.commit('a', {
      messages: [asks('x')],
      toolCalls: [{ toolCallId: 'x', state: 'completed', durationMs: 0 }],
    });
    const stats = await (await context.reopen()).aggregateStats('a');
    assert.deepEqual(stats.toolLatencyMs, { p50: 0, p95: 0, p99: 0 });
  });

  spec.extended('needs an agent that exists', async ({ store }) => {
    await assert.rejects(store.aggregateStats('nobody'), AgentNotFoundError);
  });
}

function ofMany(spec: Spec): void {
  spec.extended('covers all agents, or those that a filter matches', async (context) => {
    for (let n = 0; n < 6; n += 1) {
      await createAgent(context.store, `a${n}`, conversation(n), {
        createdAt: minute(n),
        templateId: `t${n % 2}`,
        userId: `u${n % 3}`,
        status: n === 5 ? 'running' : 'idle',
        metadata: { n },
      });
    }
    await context.store.commit('a1', STEP);
    await context.store.saveSnapshot('a3', { id: 's' });
    const store = await context.reopen();
    assert.deepEqual(await totals(store, undefined), [6, 19, 4, 1]);
    assert.deepEqual(await totals(store, {}), [6, 19, 4, 1]);
    assert.deepEqual(await totals(store, { templateId: 't1' }), [3, 13, 4, 1]);
    assert.deepEqual(await totals(store, { userId: 'u0' }), [2, 3, 0, 1]);
    assert.deepEqual(await totals(store, { status: 'running' }), [1, 5, 0, 0]);
    assert.deepEqual(await totals(store, { metadata: { n: 1 } }), [1, 5, 4, 0]);
    assert.deepEqual(await totals(store, { createdAfter: minute(4) }), [2, 9, 0, 0]);
    assert.deepEqual(await totals(store, { createdBefore: minute(4) }), [4, 10, 4, 1]);
    assert.deepEqual(await totals(store, { templateId: 't1', userId: 'u1' }), [1, 5, 4, 0]);
    assert.deepEqual(await totals(store, { templateId: 'none' }), [0, 0, 0, 0]);
  });

  spec.extended('adds up what several agents did', async (context) => {
    for (const id of ['a', 'b']) {
      await createAgent(context.store, id, [asks('x', 'y')]);
      await context.store.commit(id, {
        toolCalls: [{ toolCallId: 'x', state: id === 'a' ? 'failed' : 'completed', durationMs: 10 }],
        usage: [{ model: 'm', inputTokens: 5, latencyMs: 100 }],
      });
    }
    const stats = await (await context.reopen()).aggregateStats({});
    assert.deepEqual(present(stats.toolCallsByState), { completed: 1, failed: 1, pending: 2 });
    assert.deepEqual(present(stats.toolCallsByName), { search: 4 });
    assert.equal(stats.errorRate, 0.25);
    assert.equal(stats.tokensByModel.m?.inputTokens, 10);
    assert.equal(stats.tokensByModel.m?.calls, 2);
    assert.deepEqual(stats.toolLatencyMs, { p50: 10, p95: 10, p99: 10 });
  });

  spec.extended('refuses what it does not understand, by name', async ({ store }) => {
    const bad: [unknown, string][] = [
      [{ limit: 1 }, 'limit'],
      [{ sortBy: 'createdAt' }, 'sortBy'],
      [{ agentId: 'a' }, 'agentId'],
      [{ templateID: 't' }, 'templateID'],
      [{ status: 'asleep' }, 'status'],
      [{ templateId: null }, 'templateId'],
      [{ createdAfter: 'yesterday' }, 'createdAfter'],
      [{ createdBefore: new Date(Number.NaN) }, 'createdBefore'],
      ['', 'agentId'],
      ['../x', 'agentId'],
    ];
    for (const [of, field] of bad) {
      await refused(store.aggregateStats(wrong(of)), field, JSON.stringify(of));
    }
  });
}

function ofForks(spec: Spec): void {
  spec.extended("counts what a fork inherited as the fork's own, asked by its id", async (context) => {
    await createAgent(context.store, 'a');
    await context.store.commit('a', { ...STEP, usage: [{ model: 'm', inputTokens: 5 }] });
    await context.store.saveSnapshot('a', { id: 's' });
    await context.store.fork('a', { agentId: 'b', at: 3 });
    await context.store.appendMessages('b', conversation(2));
    const store = await context.reopen();
    const stats = await store.aggregateStats('b');
    assert.deepEqual(await totals(store, 'b'), [1, 5, 3, 0]);
    assert.deepEqual(present(stats.toolCallsByState), { completed: 1, failed: 1, sealed: 1 });
    assert.deepEqual(stats.tokensByModel, {});
    assert.deepEqual(await totals(store, 'a'), [1, 4, 4, 1]);
  });

  spec.extended('counts each stored row once over all agents', async (context) => {
    await createAgent(context.store, 'a', [user('go'), asks('x'), answers('x')]);
    await context.store.saveToolCallRecords('a', [{ toolCallId: 'x', state: 'completed', output: 1 }]);
    await context.store.fork('a', { agentId: 'b' });
    await context.store.fork('a', { agentId: 'c' });
    await context.store.appendMessages('c', [user('own')]);
    assert.deepEqual(await totals(await context.reopen(), {}), [3, 4, 1, 0]);
    await context.store.delete('a');
    const store = await context.reopen();
    assert.deepEqual(await totals(store, {}), [2, 4, 1, 0]);
    assert.deepEqual(await totals(store, 'b'), [1, 3, 1, 0]);
    assert.deepEqual(await totals(store, 'c'), [1, 4, 1, 0]);
  });

  spec.extended("doesn't count what only a snapshot needs", async (context) => {
    await createAgent(context.store, 'a', conversation(6));
    await context.store.saveSnapshot('a', { id: 's' });
    await context.store.saveMessages('a', conversation(2));
    const store = await context.reopen();
    assert.deepEqual(await totals(store, 'a'), [1, 2, 0, 1]);
    assert.deepEqual(await totals(store, {}), [1, 2, 0, 1]);
  });
}
