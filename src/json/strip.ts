import { apply } from './apply.ts';
import type { Conversation } from './conversation.ts';
import { DROPPED, type Entry, type ForkPoint, type LogHeader, type StoredMessage } from './entry.ts';
import { callsOf } from './inherit.ts';
import { type AgentState, emptyState } from './state.ts';

export interface StripInput {
  header: LogHeader;
  entries: readonly Entry[];
  /** The history that the log begins with. */
  history: Conversation;
  /** Where living forks begin. */
  cuts: readonly ForkPoint[];
  /** Keys of the living forks' logs. */
  forks: ReadonlySet<string>;
  /** Whether the agent is there, or only its forks are. */
  alive: boolean;
  now: number;
}

export interface Stripped {
  header: LogHeader;
  entries: Entry[];
}

/** What somebody still needs of a log. */
interface Needs {
  messages: Set<StoredMessage>;
  /** By ordinal and the entry that opened it. */
  calls: Set<string>;
  /** Entries whose compaction or snapshot is needed. */
  compactions: Set<number>;
  snapshots: Set<number>;
}

/**
 * Pure: the same log without what nobody needs any more. Entries keep their numbers, so that forks find
 * the state that they began with; what is dropped from within them leaves its place.
 */
export function strip(input: StripInput): Stripped {
  const { alive } = input;
  const cuts = input.cuts.toSorted((a, b) => a.n - b.n);
  const lastCut = alive ? Number.POSITIVE_INFINITY : (cuts.at(-1)?.n ?? 0);
  const entries = input.entries.filter((entry) => entry.n <= lastCut || entry.fork);
  const needs: Needs = {
    messages: new Set(),
    calls: new Set(),
    compactions: new Set(),
    snapshots: new Set(),
  };
  const inherited = input.history.messages.slice();
  const state = emptyState(input.header, input.history);
  const callsOf = new Map<Entry, string[]>();
  const markBefore = (n: number) => {
    for (let cut = cuts[0]; cut && cut.n < n; cut = cuts[0]) {
      needHistory(needs, state, cut);
      cuts.shift();
    }
  };
  for (const entry of input.entries) {
    markBefore(entry.n);
    apply(state, entry, input.now);
    if (entry.calls)
      callsOf.set(
        entry,
        entry.calls.map(({ callSeq }) => callName(state.conversation, callSeq)),
      );
  }
  markBefore(Number.POSITIVE_INFINITY);
  if (alive) needEverything(needs, state);

  const kept = alive ? keptState(entries, state) : new Map<Entry, Partial<Entry>>();
  const stripped = entries.map((entry) => ({
    ...(entry.n <= lastCut ? stripHistory(entry, needs, callsOf.get(entry) ?? []) : bare(entry)),
    ...kept.get(entry),
    ...(entry.fork && input.forks.has(entry.fork.key) ? { fork: entry.fork } : {}),
  }));
  return { header: stripHeader(input.header, needs, inherited), entries: link(stripped, alive) };
}

function needHistory(needs: Needs, state: AgentState, cut: ForkPoint): void {
  const snapshot = cut.snapshot === undefined ? undefined : state.snapshots.get(cut.snapshot);
  if (snapshot) needs.snapshots.add(snapshot.n);
  if (snapshot && snapshot.messages !== null) return;
  needPart(needs, snapshot?.source ?? state.conversation, cut);
}

function needPart(
  needs: Needs,
  conversation: Conversation,
  cut: Omit<ForkPoint, 'agentId' | 'key' | 'n'>,
): void {
  for (const message of conversation.messages.slice(0, Math.min(cut.position, cut.need)))
    needs.messages.add(message);
  for (const callSeq of neededCalls(conversation, cut)) needs.calls.add(callName(conversation, callSeq));
  for (const compaction of conversation.compactions) {
    if (compaction.position <= cut.position) needs.compactions.add(compaction.n);
  }
}

/**
 * The calls that began the fork, as far as a rewrite of it has left them. The last of them says which ones
 * began it: it stays where calls do that no message asked for.
 */
function neededCalls(
  conversation: Conversation,
  { position, need, whole }: Omit<ForkPoint, 'agentId' | 'key' | 'n'>,
): number[] {
  const { calls } = conversation;
  const count = callsOf(conversation, { position, whole });
  if (need >= position) return Array.from({ length: count }, (_, callSeq) => callSeq);
  const left = Math.min(count, calls.before(need, position));
  const needed = Array.from({ length: left }, (_, callSeq) => callSeq);
  if (!whole && left > calls.within(need) && left < count) needed.push(count - 1);
  return needed;
}

/** What the agent itself needs: its conversation, and those that its snapshots refer to. */
function needEverything(needs: Needs, { conversation, snapshots }: AgentState): void {
  const count = conversation.messages.length;
  needPart(needs, conversation, { position: count, need: count, whole: true });
  for (const { source, position, messages, n } of snapshots.values()) {
    needs.snapshots.add(n);
    if (messages === null) needPart(needs, source, { position, need: position, whole: false });
  }
}

function callName(conversation: Conversation, callSeq: number): string {
  return `${callSeq}/${conversation.calls.born(callSeq)}`;
}

/** The part of an entry that is history: positions stay, unneeded contents go. */
function stripHistory(entry: Entry, needs: Needs, callNames: readonly string[]): Entry {
  const { n, keep, branch, messages, calls, compaction, snapshot } = entry;
  const stripped = bare(entry);
  if (keep) stripped.keep = keep;
  if (branch) stripped.branch = branch;
  if (messages)
    stripped.messages = messages.map((message) => (needs.messages.has(message) ? message : DROPPED));
  const neededCalls = calls?.filter((_, i) => needs.calls.has(callNames[i] ?? ''));
  if (neededCalls?.length) stripped.calls = neededCalls;
  if (compaction && needs.compactions.has(n)) stripped.compaction = compaction;
  if (snapshot && needs.snapshots.has(n)) stripped.snapshot = snapshot;
  return stripped;
}

function bare({ n, at, version }: Entry): Entry {
  return { n, at, version };
}

/** What a living agent keeps beside its history, by the entries that it comes with. */
function keptState(entries: readonly Entry[], state: AgentState): Map<Entry, Partial<Entry>> {
  const documents = new Set([...state.documents.values()].map(({ n }) => n));
  const operations = new Set([...state.operations.values()].map(({ n }) => n));
  const known = new Set<string>();
  let todos = false;
  const kept = new Map<Entry, Partial<Entry>>();
  for (const entry of entries.toReversed()) {
    const part: Partial<Entry> = {};
    const info = Object.entries(entry.info ?? {}).filter(([key]) => !known.has(key));
    for (const [key] of info) known.add(key);
    if (info.length > 0) part.info = Object.fromEntries(info);
    if (entry.events) part.events = entry.events;
    if (entry.todos && !todos) part.todos = entry.todos;
    todos ||= entry.todos !== undefined;
    if (entry.usage !== undefined) part.usage = entry.usage;
    if (entry.operation && operations.has(entry.n)) part.operation = entry.operation;
    if (entry.document && documents.has(entry.n)) part.document = entry.document;
    kept.set(entry, part);
  }
  return kept;
}

/** The beginning that is inherited may be needed no further, or not at all. */
function stripHeader(header: LogHeader, needs: Needs, inherited: readonly StoredMessage[]): LogHeader {
  const { base } = header;
  if (!base || base.unused) return header;
  const need = inherited.findLastIndex((message) => message !== DROPPED && needs.messages.has(message)) + 1;
  const calls = [...needs.calls].some((name) => name.endsWith('/0'));
  const compactions = needs.compactions.has(0);
  const unused = need === 0 && !calls && !compactions;
  return { ...header, base: { ...base, need, ...(unused ? { unused: true as const } : {}) } };
}

/** Without entries that say nothing any more; in a living agent's log the last ones still date it. */
function link(entries: readonly Entry[], alive: boolean): Entry[] {
  const last = entries.length - 1;
  const lastVersion = entries.findLastIndex((entry, i) => entry.version > (entries[i - 1]?.version ?? 0));
  const kept = entries.filter(
    (entry, i) => Object.keys(entry).length > 3 || (alive && (i === last || i === lastVersion)),
  );
  return kept.map((entry, i) => ({ ...entry, after: kept[i - 1]?.n ?? 0 }));
}
