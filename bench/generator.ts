import type { NewEvent } from '../src/model/agent.ts';
import type { Message } from '../src/model/message.ts';
import type { Turn, TurnSource } from './turns.ts';

const USER_TEXT = 200;
const ASSISTANT_TEXT = 800;
const TOOL_INPUT = 300;
const TOOL_RESULT = { least: 2_000, most: 8_000 };
const TOOLS = ['read_file', 'search_flights', 'bash_run', 'update_booking', 'web_fetch'];

const WORDS =
  `the of and to in a is that for it as was with be by on not he his but at are this have from or had
an they which one you were her all she there would their we him been has when who will more no if out so said what up
its about into than them can only other new some could time these two may then do first any my now such like our over
man me even most made after also did many before must through back years where much your way well down should because
each just those people how too little state good very make world still own see men work long get here between both
life being under never day same another know while last might us great old year off come since against go came right
used take three booking flight passenger reservation ticket airport payment customer account error file directory
function return value request server response status update query result table index column`.split(/\s+/);

/** Turns from a seed: the sizes are fixed, the words are drawn. */
export class Generator implements TurnSource {
  readonly name = 'generated turns';
  readonly repeatsIds = false;
  readonly #random: () => number;
  #turns = 0;
  #calls = 0;

  constructor(seed: number) {
    this.#random = mulberry32(seed);
  }

  /** Every second one has a tool call. */
  next(): Turn {
    this.#turns += 1;
    return this.#turn(this.#turns % 2 === 0);
  }

  nextWithCall(): Turn {
    this.#turns += 1;
    return this.#turn(true);
  }

  /** ASCII text of exactly so many bytes. */
  text(bytes: number): string {
    let text = '';
    while (text.length < bytes) text += `${WORDS[Math.floor(this.#random() * WORDS.length)]} `;
    return text.slice(0, bytes);
  }

  /** A whole number in [least, most]. */
  integer(least: number, most: number): number {
    return least + Math.floor(this.#random() * (most - least + 1));
  }

  #turn(withCall: boolean): Turn {
    const question: Message = { role: 'user', content: [{ type: 'text', text: this.text(USER_TEXT) }] };
    const answer: Message = {
      role: 'assistant',
      content: [{ type: 'text', text: this.text(ASSISTANT_TEXT) }],
    };
    const turn: Turn = {
      messages: [question, answer],
      toolCalls: [],
      events: this.#events(),
      info: {
        status: 'idle',
        lastSfpIndex: this.#turns,
        lastBookmark: { seq: this.#turns, timestamp: 1_700_000_000_000 },
      },
    };
    if (withCall) this.#addCall(turn, answer);
    return turn;
  }

  #addCall(turn: Turn, answer: Message): void {
    this.#calls += 1;
    const id = `call_${this.#calls.toString(36).padStart(12, '0')}`;
    const name = TOOLS[this.integer(0, TOOLS.length - 1)] ?? 'tool';
    const failed = this.integer(1, 20) === 1;
    const output = this.#records(this.integer(TOOL_RESULT.least, TOOL_RESULT.most));
    const rest = { limit: this.integer(10, 99), path: 'src/booking/search.ts' };
    const query = this.text(TOOL_INPUT - JSON.stringify({ query: '', ...rest }).length);
    answer.content.push({ type: 'tool_use', id, name, input: { query, ...rest } });
    turn.messages.push({
      role: 'user',
      content: [
        { type: 'tool_result', tool_use_id: id, content: output, ...(failed ? { is_error: true } : {}) },
      ],
    });
    turn.toolCalls.push({
      toolCallId: id,
      state: failed ? 'failed' : 'completed',
      output,
      durationMs: this.integer(5, 3_000),
      ...(failed ? { error: 'The tool reported an error.' } : {}),
    });
  }

  /** Lines as a tool prints them. */
  #records(bytes: number): string {
    let text = '';
    while (text.length < bytes) {
      const price = this.integer(10_000, 99_999) / 100;
      text += `${this.integer(100_000, 999_999)} ${this.text(40)} price=${price} status=ok\n`;
    }
    return text.slice(0, bytes);
  }

  #events(): NewEvent[] {
    const turnId = `turn-${this.#turns}`;
    const usage = { inputTokens: this.integer(500, 9_000), outputTokens: this.integer(50, 900) };
    return [
      { channel: 'progress', type: 'start', turnId },
      { channel: 'progress', type: 'message', role: 'user', messageSeq: this.#turns * 3 },
      { channel: 'progress', type: 'start-step', stepNumber: 0 },
      { channel: 'progress', type: 'text', text: this.text(60) },
      { channel: 'progress', type: 'text', text: this.text(60) },
      { channel: 'progress', type: 'message', role: 'assistant', messageSeq: this.#turns * 3 + 1 },
      { channel: 'control', type: 'tool-policy', decision: 'allow', rule: this.text(30) },
      { channel: 'monitor', type: 'latency', model: 'model-large', firstTokenMs: this.integer(100, 900) },
      { channel: 'progress', type: 'finish-step', stepNumber: 0, finishReason: 'stop', usage },
      { channel: 'progress', type: 'finish', status: 'idle', turnId },
    ];
  }
}

/** A small generator of pseudo-random numbers in [0, 1), public domain by Tommy Ettinger. */
export function mulberry32(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
