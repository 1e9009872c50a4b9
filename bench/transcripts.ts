import { readConversations } from '../src/cli/conversation-file.ts';
import { convertConversation, type ImportStep } from '../src/cli/openai-chat.ts';
import { Generator } from './generator.ts';
import type { Turn, TurnSource } from './turns.ts';

/** The turns of recorded conversations (OpenAI's chat format), over and over. */
export class Transcripts implements TurnSource {
  readonly name = 'recorded turns';
  readonly repeatsIds = true;
  readonly #turns: readonly Turn[];
  readonly #withCall: readonly Turn[];
  #next = 0;
  #nextWithCall = 0;

  private constructor(turns: readonly Turn[]) {
    this.#turns = turns;
    this.#withCall = turns.filter((turn) => turn.toolCalls.length > 0);
    if (this.#withCall.length === 0) throw new Error('The transcripts have no turn with a tool call.');
  }

  static async read(path: string): Promise<Transcripts> {
    const conversations = await readConversations(path);
    const events = new Generator(1);
    return new Transcripts(
      conversations.flatMap(({ messages }) =>
        splitTurns(convertConversation(messages).steps)
          .map((steps) => toTurn(steps, events.next()))
          .filter(hasDistinctIds),
      ),
    );
  }

  next(): Turn {
    return pick(this.#turns, this.#next++);
  }

  nextWithCall(): Turn {
    return pick(this.#withCall, this.#nextWithCall++);
  }
}

/** A turn begins with what a user says and has all that follows until the next one. */
function splitTurns(steps: readonly ImportStep[]): ImportStep[][] {
  const turns: ImportStep[][] = [];
  for (const step of steps) {
    const { role, content } = step.message;
    const input = role === 'user' && content.every(({ type }) => type !== 'tool_result');
    const current = turns.at(-1);
    if (input || !current) turns.push([step]);
    else current.push(step);
  }
  return turns;
}

/** Recordings have no events: those of a generated turn take their place. */
function toTurn(steps: readonly ImportStep[], { events, info }: Turn): Turn {
  return {
    messages: steps.map(({ message }) => message),
    // Ordinals are the recording's; here each record goes to the call that its own turn opened.
    toolCalls: steps.flatMap(({ toolCalls }) => toolCalls.map(({ callSeq: _, ...update }) => update)),
    events,
    info,
  };
}

/** In one commit, two records with one id would speak of the same call. */
function hasDistinctIds({ toolCalls }: Turn): boolean {
  return new Set(toolCalls.map(({ toolCallId }) => toolCallId)).size === toolCalls.length;
}

function pick(turns: readonly Turn[], n: number): Turn {
  const turn = turns[n % turns.length];
  if (!turn) throw new Error('There are no turns.');
  return turn;
}
