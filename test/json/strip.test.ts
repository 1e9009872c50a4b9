import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ValidationError } from '../../src/errors.ts';
import { apply } from '../../src/json/apply.ts';
import { Conversation } from '../../src/json/conversation.ts';
import { decodeHeader, decodeLine } from '../../src/json/decode.ts';
import { type Entry, encodeEntry, encodeHeader, encodeLine, type LogHeader } from '../../src/json/entry.ts';
import { inherit } from '../../src/json/inherit.ts';
import { planCommit } from '../../src/json/plan-commit.ts';
import { planFork } from '../../src/json/plan-fork.ts';
import { type AgentState, emptyState } from '../../src/json/state.ts';
import { strip } from '../../src/json/strip.ts';
import { toLoadedAgent, toSnapshot, toSnapshotList } from '../../src/json/views.ts';
import type { TurnCommit } from '../../src/model/agent.ts';
import { encodeCommit } from '../../src/model/encode-commit.ts';
import { answers, asks, conversation, progress, user } from '../../src/testing/samples.ts';

const NOW = 1_700_000_000_000;

type Step =
  | { kind: 'commit'; change: TurnCommit }
  | { kind: 'rewrite'; keep: number; name: string }
  | { kind: 'fork'; at: number | string | undefined };

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
  {
    weight: 2,
    arbitrary: fc.oneof(fc.nat(8), id, fc.constant(undefined)).map((at): Step => ({ kind: 'fork', at })),
  },
);

interface Log {
  header: LogHeader;
  entries: Entry[];
  state: AgentState;
  forks: LogHeader[];
}

function run(header: LogHeader, history: Conversation, steps: Step[], first?: Entry): Log {
  const log: Log = { header, entries: [], state: emptyState(header, history), forks: [] };
  const add = (entry: Entry | undefined) => {
    if (!entry) return;
    apply(log.state, entry, NOW);
    log.entries.push(entry);
  };
  add(first);
  const options = { replace: false, fence: () => undefined, now: NOW };
  for (const one of steps) {
    try {
      if (one.kind === 'commit') {
        add(planCommit(log.state, encodeCommit('a', one.change), options).entry);
      } else if (one.kind === 'rewrite') {
        const kept = toLoadedAgent(log.state).messages.slice(0, one.keep);
        const messages = [...kept, user(one.name)];
        add(planCommit(log.state, encodeCommit('a', { messages }), { ...options, replace: true }).entry);
      } else {
        const target = { agentId: `fork ${log.forks.length}`, key: `${log.forks.length}`.padStart(24, '0') };
        const { header: fork, pin } = planFork(log.state, one.at, target, NOW);
        if (!pin) continue;
        log.forks.push(fork);
        add(pin);
      }
    } catch (error) {
      if (!(error instanceof ValidationError)) throw error;
    }
  }
  return log;
}

/** Through the text and back, as on disk. */
function reread({ header, entries }: Pick<Log, 'header' | 'entries'>): Pick<Log, 'header' | 'entries'> {
  const text = encodeLine(entries.map(encodeEntry));
  return {
    header: decodeHeader(encodeHeader(header)),
    entries: entries.length === 0 ? [] : decodeLine('a', text),
  };
}

function replay(
  header: LogHeader,
  history: Conversation,
  entries: Entry[],
  until = Number.POSITIVE_INFINITY,
) {
  const state = emptyState(header, history);
  for (const entry of entries) if (entry.n <= until) apply(state, entry, NOW);
  return state;
}

/** What a fork begins with, as text. */
function beginning(parent: AgentState, fork: LogHeader): string {
  if (!fork.base) return '';
  const { messages, calls, compactions } = inherit(parent, fork.base, fork.createdAt);
  const needed = messages.slice(0, fork.base.need);
  return JSON.stringify([needed, [...calls.values()], compactions]);
}

/** Everything that a caller can see of an agent, as text. */
function everything(state: AgentState): string {
  const snapshots = [...state.snapshots.values()].map((snapshot) => toSnapshot(snapshot, 'a'));
  const { cursor, n, lastAt, operations } = state;
  const results = [...operations.values()].map(({ id: operation, result }) => ({ operation, result }));
  return JSON.stringify([toLoadedAgent(state), toSnapshotList(state), snapshots, cursor, n, lastAt, results]);
}

const steps = fc.array(step, { minLength: 1, maxLength: 40 });
const root: LogHeader = { format: 1, agentId: 'a', key: 'a'.repeat(24), createdAt: NOW };

describe('a log without what nobody needs', () => {
  it('gives the agent and each living fork what they had', () => {
    fc.assert(
      fc.property(steps, fc.infiniteStream(fc.boolean()), fc.boolean(), (all, choices, alive) => {
        const log = run(root, new Conversation(), all);
        const living = log.forks.filter(() => choices.next().value);
        const cuts = living.flatMap(({ base }) => (base ? [base] : []));
        const forks = new Set(living.map(({ key }) => key));
        const stripped = strip({ ...reread(log), history: new Conversation(), cuts, forks, alive, now: NOW });
        const { header, entries } = reread(stripped);
        if (alive) {
          expect(everything(replay(header, new Conversation(), entries))).toBe(everything(log.state));
        }
        for (const fork of living) {
          const before = replay(log.header, new Conversation(), log.entries, fork.base?.n);
          const after = replay(header, new Conversation(), entries, fork.base?.n);
          expect(beginning(after, fork)).toBe(beginning(before, fork));
        }
        expect(encodeLine(entries.map(encodeEntry)).length).toBeLessThanOrEqual(
          encodeLine(log.entries.map(encodeEntry)).length + 16 * entries.length,
        );
        // There is nothing left to strip.
        const again = strip({ header, entries, history: new Conversation(), cuts, forks, alive, now: NOW });
        expect(encodeLine(again.entries.map(encodeEntry))).toBe(encodeLine(entries.map(encodeEntry)));
      }),
      { numRuns: 300 },
    );
  });

  it('holds for a fork and its own forks, whose history begins elsewhere', () => {
    fc.assert(
      fc.property(
        steps,
        steps,
        fc.option(fc.nat(8), { nil: undefined }),
        fc.infiniteStream(fc.boolean()),
        fc.boolean(),
        (first, second, position, choices, alive) => {
          const parent = run(root, new Conversation(), first);
          const at = position && Math.min(position, parent.state.conversation.messages.length);
          const planned = planFork(parent.state, at, { agentId: 'b', key: 'b'.repeat(24) }, NOW);
          const { base } = planned.header;
          if (!base) return;
          const history = () => inherit(replay(root, new Conversation(), parent.entries, base.n), base, NOW);
          const log = run(planned.header, history(), second, planned.first);
          const living = log.forks.filter(() => choices.next().value);
          const cuts = living.flatMap((fork) => (fork.base ? [fork.base] : []));
          const forks = new Set(living.map(({ key }) => key));
          const left = reread(strip({ ...reread(log), history: history(), cuts, forks, alive, now: NOW }));

          // The parent in turn keeps no more than this fork still needs of it.
          const kept = left.header.base?.unused ? [] : [left.header.base ?? base];
          const rest = strip({
            ...parent,
            history: new Conversation(),
            cuts: kept,
            forks: new Set(),
            alive: false,
            now: NOW,
          });
          const narrowed = () => {
            if (left.header.base?.unused) return Conversation.dropped(base.position);
            return inherit(replay(root, new Conversation(), reread(rest).entries, base.n), base, NOW);
          };
          if (alive) {
            expect(everything(replay(left.header, narrowed(), left.entries))).toBe(everything(log.state));
          }
          for (const fork of living) {
            const before = replay(log.header, history(), log.entries, fork.base?.n);
            const after = replay(left.header, narrowed(), left.entries, fork.base?.n);
            expect(beginning(after, fork)).toBe(beginning(before, fork));
          }
        },
      ),
      { numRuns: 300 },
    );
  });
});
