import { isDate, isUint8Array } from '../model/foreign.ts';
import { messageOf } from './failure.ts';
import type { LanguageModel } from './model.ts';
import { metadataFrom, type Repairs, storable, textFrom } from './storable.ts';
import { isObject } from './translate/values.ts';

/** A part of a provider's stream, as it should be. */
type Part = Record<string, unknown> & { type: string };

interface Streamed {
  stream?: { pipeThrough?: (through: TransformStream) => unknown };
}

/**
 * The model, whose answers the SDK can read. It throws away a whole answer, which was paid for, for one part that it
 * doesn't know, a BigInt beside a call or a time that is none: such things are mended, or left out, before it sees
 * them. Models of the older version 2 are translated by the SDK itself.
 */
export function mended(model: LanguageModel, repairs: Repairs): LanguageModel {
  if (typeof model === 'string' || model.specificationVersion === 'v2') return model;
  const doStream = async (options: never): Promise<unknown> => {
    const answer = (await model.doStream(options)) as Streamed | undefined;
    if (typeof answer?.stream?.pipeThrough !== 'function') return answer;
    const mender = new Mender(repairs, model.specificationVersion);
    const stream = answer.stream.pipeThrough(
      new TransformStream<unknown, Part>({
        transform: (part, controller) => {
          for (const whole of mender.mend(part)) controller.enqueue(whole);
        },
      }),
    );
    return { ...answer, stream };
  };
  return new Proxy(model, {
    get(target, name) {
      if (name === 'doStream') return doStream;
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

/** What the SDK knows of a stream; `true` where only version 4 of the specification has it. */
const KNOWN = new Map<string, boolean>([
  ...['stream-start', 'response-metadata', 'finish', 'error', 'raw', 'file', 'source', 'tool-call'].map(
    (type): [string, boolean] => [type, false],
  ),
  ...['text', 'reasoning', 'tool-input'].flatMap((kind) =>
    ['start', 'delta', 'end'].map((phase): [string, boolean] => [`${kind}-${phase}`, false]),
  ),
  ['tool-result', false],
  ['tool-approval-request', false],
  ['custom', true],
  ['reasoning-file', true],
]);

class Mender {
  readonly #repairs: Repairs;
  readonly #version: string;
  readonly #open = new Set<string>();
  readonly #calls = new Set<unknown>();

  constructor(repairs: Repairs, version: string) {
    this.#repairs = repairs;
    this.#version = version;
  }

  mend(part: unknown): Part[] {
    try {
      return isPart(part) ? this.#mend(part) : this.#leaveOut('part', 'is none of an answer');
    } catch (error) {
      return this.#leaveOut('part', `can't be read (${messageOf(error)})`);
    }
  }

  #mend(part: Part): Part[] {
    const { type } = part;
    const isNew = KNOWN.get(type);
    if (isNew === undefined || (isNew && this.#version === 'v3')) {
      return this.#leaveOut(type, "is a kind of part that the SDK doesn't know");
    }
    const [, kind, phase] = /^(text|reasoning)-(start|delta|end)$/.exec(type) ?? [];
    if (kind !== undefined && phase !== undefined) return this.#streamed(part, kind, phase);
    switch (type) {
      case 'error':
      case 'raw':
        return [part];
      case 'stream-start':
        return [{ ...part, warnings: Array.isArray(part.warnings) ? part.warnings : [] }];
      case 'response-metadata':
        return [this.#response(part)];
      case 'finish':
        return [this.#finish(part)];
      case 'tool-call':
        return [this.#call(part)];
      case 'tool-result':
        return [this.#withMetadata({ ...part, result: storable(part.result, type, this.#repairs) })];
      case 'tool-approval-request':
        if (!this.#calls.has(part.toolCallId))
          return this.#leaveOut(type, 'is about a call that there is not');
        return [this.#withMetadata(part)];
      case 'file':
      case 'reasoning-file':
        if (typeof part.mediaType !== 'string' || !this.#isData(part.data)) {
          return this.#leaveOut(type, 'has no content or no media type');
        }
        return [this.#withMetadata(part)];
      case 'source':
        return [storable(part, type, this.#repairs) as Part];
      case 'tool-input-start':
        return [this.#withMetadata({ ...part, ...this.#texts(part, 'id', 'toolName') })];
      case 'tool-input-delta':
        return [this.#withMetadata({ ...part, ...this.#texts(part, 'id', 'delta') })];
      default:
        return [this.#withMetadata(part)];
    }
  }

  /** The SDK refuses a text that it wasn't told the beginning of, or that ends twice. */
  #streamed(part: Part, kind: string, phase: string): Part[] {
    const key = `${kind} ${String(part.id)}`;
    const isOpen = this.#open.has(key);
    if (phase === 'end') {
      this.#open.delete(key);
      return isOpen ? [this.#withMetadata(part)] : this.#leaveOut(part.type, 'ends what has not begun');
    }
    this.#open.add(key);
    if (phase === 'start') return [this.#withMetadata(part)];
    const whole = typeof part.delta === 'string' ? part : { ...part, ...this.#texts(part, 'delta') };
    const start = { type: `${kind}-start`, id: part.id };
    return [...(isOpen ? [] : [start]), this.#withMetadata(whole)];
  }

  #call(part: Part): Part {
    this.#calls.add(part.toolCallId);
    const names = this.#texts(part, 'toolCallId', 'toolName');
    return this.#withMetadata({ ...part, ...names, input: this.#input(part.input) });
  }

  /** A call whose input can't be kept as it came is refused, as one is that isn't JSON: it mustn't run with another. */
  #input(input: unknown): string {
    if (input === undefined) return '{}';
    if (typeof input === 'string' && !mayBeDeep(input)) return input;
    if (typeof input !== 'string') this.#repairs.note('input', "isn't the text of a JSON value");
    const value = typeof input === 'string' ? parsed(input) : input;
    if (value === undefined || storable(value, 'input', this.#repairs) !== value) return REFUSED;
    return typeof input === 'string' ? input : JSON.stringify(value);
  }

  #response({ type, id, modelId, timestamp }: Part): Part {
    const isTime = isDate(timestamp) && Number.isFinite(timestamp.getTime());
    return {
      type,
      ...(typeof id === 'string' && { id }),
      ...(modelId !== undefined && modelId !== null && { modelId }),
      ...(isTime && { timestamp }),
    };
  }

  #finish(part: Part): Part {
    const { finishReason } = part;
    const usage = isObject(part.usage) ? part.usage : {};
    const { unified, raw } = isObject(finishReason)
      ? finishReason
      : { unified: finishReason, raw: finishReason };
    return this.#withMetadata({
      ...part,
      finishReason: { unified: unified ?? 'other', raw: raw ?? undefined },
      usage: {
        inputTokens: this.#tokens(usage, 'inputTokens'),
        outputTokens: this.#tokens(usage, 'outputTokens'),
        raw: storable(usage.raw, 'usage.raw', this.#repairs),
      },
    });
  }

  /** A number alone is the total; the SDK adds counts up. */
  #tokens(usage: Record<string, unknown>, field: 'inputTokens' | 'outputTokens'): Record<string, unknown> {
    try {
      const counts = isObject(usage[field]) ? usage[field] : { total: usage[field] };
      const entries = Object.entries(counts).map(([name, count]): [string, unknown] => [
        name,
        typeof count === 'bigint' ? Number(count) : count,
      ]);
      return Object.fromEntries(entries);
    } catch (error) {
      this.#repairs.note(`usage.${field}`, `can't be read (${messageOf(error)}): left out`);
      return {};
    }
  }

  #withMetadata(part: Part): Part {
    if (part.providerMetadata === undefined) return part;
    const providerMetadata = metadataFrom(
      part.providerMetadata,
      `${part.type}.providerMetadata`,
      this.#repairs,
    );
    return providerMetadata === part.providerMetadata ? part : { ...part, providerMetadata };
  }

  /** Version 4 of the specification has objects that say what the data is. */
  #isData(data: unknown): boolean {
    if (typeof data === 'string' || isUint8Array(data)) return true;
    return this.#version !== 'v3' && isObject(data) && typeof data.type === 'string';
  }

  #texts(part: Part, ...fields: string[]): Record<string, string> {
    return Object.fromEntries(
      fields.map((field) => {
        if (part[field] === undefined) this.#repairs.note(field, 'is missing');
        return [field, textFrom(part[field], field, this.#repairs)];
      }),
    );
  }

  #leaveOut(field: string, problem: string): [] {
    this.#repairs.note(field, `${problem}: left out`);
    return [];
  }
}

/** Of which the SDK says that it isn't JSON. */
const REFUSED = 'an input that is nested too deep, or holds what JSON has no words for';

/** Nothing below is nested deeper than what is stored may be. */
const SHALLOW = 900;

function mayBeDeep(text: string): boolean {
  return text.length > 2 * SHALLOW && (text.match(/[[{]/g)?.length ?? 0) > SHALLOW;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isPart(part: unknown): part is Part {
  return isObject(part) && typeof part.type === 'string';
}
