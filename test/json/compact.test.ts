import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ValidationError } from '../../src/errors.ts';
import type { NewAgent } from '../../src/json/agent-files.ts';
import { apply } from '../../src/json/apply.ts';
import { compacted } from '../../src/json/compact.ts';
import type { Conversation } from '../../src/json/conversation.ts';
import { decodeLine } from '../../src/json/decode.ts';
import { type Entry, encodeEntry, encodeLine, type ForkPoint, type LogHeader } from '../../src/json/entry.ts';
import { historyEntries, inherit, MAX_ENTRY_LENGTH } from '../../src/json/inherit.ts';
import { planCommit } from '../../src/json/plan-commit.ts';
import { planFork } from '../../src/json/plan-fork.ts';
import { type AgentState, emptyState } from '../../src/json/state.ts';
import { toLoadedAgent, toSnapshot, toSnapshotList } from '../../src/json/views.ts';
import type { TurnCommit } from '../../src/model/agent.ts';
import { encodeCommit } from '../../src/model/encode-commit.ts';
import { answers, asks, conversation, progress, user } from '../../src/testing/samples.ts';

const NOW = 1_700_000_000_000;

type Step = { kind: 'commit'; change: TurnCommit } | { kind: 'rewrite'; keep: number; name: string };

const id = fc.constantFrom('x', 'y', 'z');
const name = fc.integer({ min: 0, max: 99 }).map((n) => `n${n}`);
const change = fc.oneof(
  fc.record({ messages: fc.tuple(fc.nat(3), name).map(([count, text]) => conversation(count, text)) }),
  fc.record({ messages: id.map((one) => [asks(one)]) }),
  fc.record({ messages: id.map((one) => [answers(one)]) }),
  fc.record({ messages: fc.tuple(id, id).map((two) => [asks(...two), user('and'), answers(two[0])]) }),
  fc.record({
    toolCalls: fc
      .record({
        toolCallId: id,
        state: fc.constantFrom('executing' as const, 'approval_required' as const, 'completed' as const),
        output: fc.option(fc.nat(5), { nil: undefined }),
      })
      .map((record) => [{ ...record, toolName: 'search' }]),
  }),
  fc.record({ events: fc.nat(2).map((n) => Array.from({ length: n + 1 }, () => progress('e'))) }),
  fc.record({ todos: name.map((one) => ({ todos: [one] })) }),
  fc.record({ info: name.map((one) => ({ metadata: { one }, breakpoint: one })) }),
  fc.record({ compaction: fc.record({ seq: fc.nat(4), messages: fc.constant([user('so far')]) }) }),
  fc.record({ snapshot: id.map((one) => ({ id: one })) }),
  fc.record({
    snapshot: fc.tuple(id, name).map(([one, text]) => ({ id: one, messages: conversation(2, text) })),
  }),
  fc.record({ messages: name.map((text) => [user(text)]), operationId: name }),
);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: change.map((one): Step => ({ kind: 'commit', change: one as TurnCommit })) },
  {
    weight: 2,
    arbitrary: fc.tuple(fc.nat(8), name).map(([keep, text]): Step => ({ kind: 'rewrite', keep, name: text })),
  },
);

const steps = fc.array(step, { minLength: 1, maxLength: 40 });
const HEADER: LogHeader = { format: 2, agentId: 'a', key: 'a'.repeat(24), createdAt: NOW };

/** The entries of an agent that does all this, after those that are there. */
function run(begun: Entry[], all: Step[]): Entry[] {
  const entries = [...begun];
  const state = replay(entries);
  const options = { replace: false, fence: () => undefined, now: NOW };
  for (const one of all) {
    try {
      const kept = one.kind === 'rewrite' ? toLoadedAgent(state).messages.slice(0, one.keep) : [];
      const { entry } =
        one.kind === 'commit'
          ? planCommit(state, encodeCommit('a', one.change), options)
          : planCommit(state, encodeCommit('a', { messages: [...kept, user(one.name)] }), {
              ...options,
              replace: true,
            });
      if (!entry) continue;
      apply(state, entry, NOW);
      entries.push(entry);
    } catch (error) {
      if (!(error instanceof ValidationError)) throw error;
    }
  }
  return entries;
}

/** A fork at this place, or of the whole conversation where there is no such place. */
function planned(parent: AgentState, at: number | string | undefined): NewAgent {
  const exists =
    typeof at === 'string' ? parent.snapshots.has(at) : (at ?? 0) <= toLoadedAgent(parent).messages.length;
  return planFork(parent, exists ? at : undefined, HEADER, NOW);
}

/** The beginning of its log. */
function logOf({ history, first }: NewAgent): Entry[] {
  return [...(history ? historyEntries(history) : []), first];
}

/** Through the text and back, as on disk. */
function reread(entries: Entry[]): Entry[] {
  return entries.flatMap((entry) => decodeLine('a', encodeLine([encodeEntry(entry)])));
}

function replay(entries: Entry[]): AgentState {
  const state = emptyState(HEADER);
  for (const entry of entries) apply(state, entry, NOW);
  return state;
}

function lengthOf(entries: Entry[]): number {
  return encodeLine(entries.map(encodeEntry)).length;
}

/** What a fork at this place begins with, as text. */
function beginning(parent: AgentState, point: ForkPoint): string {
  const { messages, calls, compactions } = inherit(parent, point, NOW);
  return JSON.stringify([messages, [...calls.values()], calls.next, calls.unlinked, withoutN(compactions)]);
}

function withoutN(compactions: Conversation['compactions']): unknown[] {
  return compactions.map(({ n: _n, ...compaction }) => compaction);
}

/** Everything that a caller can see of an agent and of its forks, as text. */
function everything(state: AgentState): string {
  const snapshots = [...state.snapshots.values()].map((snapshot) => toSnapshot(snapshot, 'a'));
  const { cursor, n, lastAt, operations } = state;
  const results = [...operations.values()].map(({ id: operation, result }) => ({ operation, result }));
  const count = state.conversation.messages.length;
  const forks = [
    ...Array.from({ length: count + 1 }, (_, position) => ({ position, whole: position === count })),
    ...snapshots.map(({ id: snapshot, messages }) => ({
      snapshot,
      position: messages.length,
      whole: false,
    })),
  ].map((point) => beginning(state, point));
  return JSON.stringify([
    toLoadedAgent(state),
    toSnapshotList(state),
    snapshots,
    { cursor, n, lastAt, results },
    forks,
  ]);
}

const place = fc.oneof(fc.nat(8), id, fc.constant(undefined));

describe('the history of a fork', () => {
  it('is the same when its log is read', () => {
    fc.assert(
      fc.property(steps, place, (first, at) => {
        const fork = planned(replay(run([], first)), at);
        const inMemory = emptyState(HEADER, fork.history);
        apply(inMemory, fork.first, NOW);
        expect(everything(replay(reread(logOf(fork))))).toBe(everything(inMemory));
      }),
      { numRuns: 200 },
    );
  });

  it('is written in lines of a bounded length', () => {
    const long = 'x'.repeat(MAX_ENTRY_LENGTH / 4);
    const messages = Array.from({ length: 40 }, (_, n) => user(`${n} ${long}`));
    const calls = Array.from({ length: 40 }, (_, n) => ({
      toolCallId: `c${n}`,
      toolName: 't',
      input: long,
      state: 'completed' as const,
    }));
    const parent = run(
      [],
      [
        { kind: 'commit', change: { messages } },
        { kind: 'commit', change: { toolCalls: calls } },
      ],
    );
    const lengths = logOf(planned(replay(parent), undefined)).map((entry) => lengthOf([entry]));
    expect(lengths.length).toBeGreaterThan(20);
    expect(Math.max(...lengths)).toBeLessThan(2 * MAX_ENTRY_LENGTH);
  });
});

describe('a log without what was overwritten', () => {
  it('is the same agent, with the same forks', () => {
    fc.assert(
      fc.property(steps, fc.option(place), steps, (first, at, second) => {
        const parent = run([], first);
        const log = at === null ? parent : run(logOf(planned(replay(parent), at)), second);
        const left = reread(compacted(HEADER, reread(log), NOW));
        expect(everything(replay(left))).toBe(everything(replay(log)));
        expect(lengthOf(left)).toBeLessThanOrEqual(lengthOf(log) + 16 * left.length);
        // There is nothing left to be dropped.
        expect(lengthOf(compacted(HEADER, left, NOW))).toBe(lengthOf(left));
      }),
      { numRuns: 300 },
    );
  });
});
