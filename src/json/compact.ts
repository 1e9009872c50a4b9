import { apply } from './apply.ts';
import type { Conversation } from './conversation.ts';
import { DROPPED, type Entry, type LogHeader, type StoredMessage } from './entry.ts';
import { type AgentState, emptyState } from './state.ts';

/** What an agent needs of its log's history. */
interface Needs {
  messages: Set<StoredMessage>;
  /** By ordinal and the entry that opened it. */
  calls: Set<string>;
  /** Entries whose compaction or snapshot is needed. */
  compactions: Set<number>;
  snapshots: Set<number>;
}

/**
 * Pure: the entries of a log without what was overwritten. They keep their numbers, which documents' files are named
 * by, and what is dropped from within them leaves its place.
 */
export function compacted(header: LogHeader, entries: readonly Entry[], now: number): Entry[] {
  const state = emptyState(header);
  const callNames = new Map<Entry, string[]>();
  for (const entry of entries) {
    apply(state, entry, now);
    const named = entry.calls?.map(({ callSeq }) => callName(state.conversation, callSeq));
    if (named) callNames.set(entry, named);
  }
  const needs = needsOf(state);
  const kept = keptState(entries, state);
  return link(
    entries.map((entry) => ({
      ...neededHistory(entry, needs, callNames.get(entry) ?? []),
      ...kept.get(entry),
    })),
  );
}

/** The agent's conversation, and those that its snapshots refer to. */
function needsOf({ conversation, snapshots }: AgentState): Needs {
  const needs: Needs = {
    messages: new Set(),
    calls: new Set(),
    compactions: new Set(),
    snapshots: new Set(),
  };
  const { messages, calls, compactions } = conversation;
  for (const message of messages) needs.messages.add(message);
  for (const { callSeq } of calls.values()) needs.calls.add(callName(conversation, callSeq));
  for (const { n } of compactions) needs.compactions.add(n);
  for (const { source, position, messages: own, n } of snapshots.values()) {
    needs.snapshots.add(n);
    if (own === null && source !== conversation) needBeginning(needs, source, position);
  }
  return needs;
}

/** What a fork of a snapshot begins with. */
function needBeginning(needs: Needs, source: Conversation, position: number): void {
  const { messages, calls, compactions } = source;
  for (const message of messages.slice(0, position)) needs.messages.add(message);
  const count = calls.within(position);
  for (const { callSeq } of calls.values()) if (callSeq < count) needs.calls.add(callName(source, callSeq));
  for (const compaction of compactions) {
    if (compaction.position <= position) needs.compactions.add(compaction.n);
  }
}

function callName({ calls }: Conversation, callSeq: number): string {
  return `${callSeq}/${calls.born(callSeq)}`;
}

/** The part of an entry that is history: positions stay, unneeded contents go. */
function neededHistory(entry: Entry, needs: Needs, callNames: readonly string[]): Entry {
  const { n, at, version, keep, branch, messages, compaction, snapshot } = entry;
  const needed: Entry = { n, at, version };
  if (keep) needed.keep = keep;
  if (branch) needed.branch = branch;
  if (messages)
    needed.messages = messages.map((message) => (needs.messages.has(message) ? message : DROPPED));
  const calls = entry.calls?.filter((_, i) => needs.calls.has(callNames[i] ?? ''));
  if (calls?.length) needed.calls = calls;
  if (compaction && needs.compactions.has(n)) needed.compaction = compaction;
  if (snapshot && needs.snapshots.has(n)) needed.snapshot = snapshot;
  return needed;
}

/** What the agent has beside its history, by the entries that it comes with. */
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

/** Without entries that say nothing any more; the last ones still date the agent. */
function link(entries: readonly Entry[]): Entry[] {
  const last = entries.length - 1;
  const lastVersion = entries.findLastIndex((entry, i) => entry.version > (entries[i - 1]?.version ?? 0));
  const kept = entries.filter((entry, i) => Object.keys(entry).length > 3 || i === last || i === lastVersion);
  return kept.map((entry, i) => (entry.n === 0 ? entry : { ...entry, after: kept[i - 1]?.n ?? 0 }));
}
