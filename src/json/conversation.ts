import type { CallState, KnownCalls } from '../model/call-book.ts';
import { DROPPED, type StoredMessage } from './entry.ts';

export interface StoredCompaction {
  seq: number;
  messages: string;
  metadata: string | null;
  createdAt: number;
  /** Number of messages that the conversation had: forks before it don't inherit the compaction. */
  position: number;
  /** The entry that it came with. */
  n: number;
}

/** A conversation's tool calls, by ordinal and by the model's id. Calls are replaced, never changed. */
export class CallTable implements KnownCalls {
  readonly #bySeq = new Map<number, CallState>();
  readonly #byId = new Map<string, number[]>();
  /** The entry that opened each call: ordinals are given out again after a rewrite. */
  readonly #born = new Map<number, number>();
  #next = 0;
  #unlinked = 0;

  /** The next call's ordinal. */
  get next(): number {
    return this.#next;
  }

  /** Calls that no tool_use block is known for. */
  get unlinked(): number {
    return this.#unlinked;
  }

  values(): Iterable<CallState> {
    return this.#bySeq.values();
  }

  withSeq(callSeq: number): CallState | undefined {
    return this.#bySeq.get(callSeq);
  }

  withId(toolCallId: string): CallState[] {
    const calls: CallState[] = [];
    for (const callSeq of this.#byId.get(toolCallId) ?? []) {
      const call = this.#bySeq.get(callSeq);
      if (call) calls.push(call);
    }
    return calls.reverse();
  }

  born(callSeq: number): number {
    return this.#born.get(callSeq) ?? 0;
  }

  set(call: CallState, born: number): void {
    const before = this.#bySeq.get(call.callSeq);
    if (before) {
      if (before.messageSeq === null && call.messageSeq !== null) this.#unlinked -= 1;
    } else {
      this.#next = Math.max(this.#next, call.callSeq + 1);
      const sameId = this.#byId.get(call.toolCallId);
      if (sameId) sameId.push(call.callSeq);
      else this.#byId.set(call.toolCallId, [call.callSeq]);
      this.#born.set(call.callSeq, born);
      if (call.messageSeq === null) this.#unlinked += 1;
    }
    this.#bySeq.set(call.callSeq, call);
  }

  /** The calls that `choose` gives back, as a table of their own. */
  select(choose: (call: CallState) => CallState | undefined, born?: number): CallTable {
    const table = new CallTable();
    for (const call of this.#bySeq.values()) {
      const chosen = choose(call);
      if (chosen) table.set(chosen, born ?? this.born(call.callSeq));
    }
    return table;
  }

  /** Number of calls up to the last one that one of the first `position` messages asked for. */
  within(position: number): number {
    let count = 0;
    for (const { messageSeq, callSeq } of this.#bySeq.values()) {
      if (messageSeq !== null && messageSeq < position) count = Math.max(count, callSeq + 1);
    }
    return count;
  }

  /**
   * Number of calls that are left with the first `keep` messages: of those after the last that one of them asked
   * for, the ones before the first that one of the other messages asked for.
   */
  before(keep: number): number {
    const asked = this.within(keep);
    let count = this.#next;
    for (const { messageSeq, callSeq } of this.#bySeq.values()) {
      if (messageSeq === null || messageSeq < keep) continue;
      if (callSeq >= asked) count = Math.min(count, callSeq);
    }
    return count;
  }
}

/** One version of an agent's history. Snapshots may refer to versions that the agent has left. */
export class Conversation {
  messages: StoredMessage[] = [];
  calls = new CallTable();
  compactions: StoredCompaction[] = [];

  /** As many messages as there were, without their texts: for a history that nobody looks at any more. */
  static dropped(position: number): Conversation {
    const conversation = new Conversation();
    conversation.messages = new Array<StoredMessage>(position).fill(DROPPED);
    return conversation;
  }

  copy(): Conversation {
    const copy = new Conversation();
    copy.messages = this.messages.slice();
    copy.calls = this.calls.select((call) => call);
    copy.compactions = this.compactions.slice();
    return copy;
  }

  /** Cuts it back to its first messages and calls; a result or a question that is cut off is missing again. */
  truncate(keep: number, callCount: number): void {
    this.messages.length = keep;
    this.calls = this.calls.select((call) => {
      if (call.callSeq >= callCount) return undefined;
      const asked = call.messageSeq === null || call.messageSeq < keep;
      const answered = call.resultSeq === null || call.resultSeq < keep;
      if (asked && answered) return call;
      return {
        ...call,
        messageSeq: asked ? call.messageSeq : null,
        resultSeq: answered ? call.resultSeq : null,
      };
    });
    this.compactions = this.compactions
      .filter((compaction) => compaction.seq <= keep)
      .map((compaction) => ({ ...compaction, position: Math.min(compaction.position, keep) }));
  }
}
