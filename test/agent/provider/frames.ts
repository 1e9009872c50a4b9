import { createHash } from 'node:crypto';
import type { AnswerUsage, RecordedRequest, StreamedAnswer } from './answer.ts';

/** One server-sent event. `chunk` marks those that `cutAfter` and its like count. */
export interface Frame {
  event?: string;
  data: unknown;
  chunk?: boolean;
}

/** An answer in a wire format. */
export interface Encoded {
  opening: Frame[];
  content: Frame[];
  /** Finish reason, usage, end mark. */
  closing: Frame[];
  /** What the format sends when it fails in mid-stream. */
  error: Frame;
}

/** A format: how it streams an answer, and how it words an HTTP error. */
export interface Format {
  path: string;
  encode(answer: StreamedAnswer, request: RecordedRequest): Encoded;
  errorBody(status: number, message: string): unknown;
}

/** Makes ids that depend on the request's bytes alone. */
export function idsFor(request: RecordedRequest): (prefix: string, index?: number) => string {
  const digest = createHash('sha256').update(request.body).digest('hex').slice(0, 16);
  return (prefix, index) => `${prefix}${digest}${index === undefined ? '' : `_${index}`}`;
}

export function modelOf(request: RecordedRequest): string {
  return typeof request.json.model === 'string' ? request.json.model : 'unknown';
}

export function usageOf(answer: StreamedAnswer): Required<AnswerUsage> {
  return {
    inputTokens: 10,
    cachedTokens: 0,
    cacheWriteTokens: 0,
    outputTokens: 5,
    reasoningTokens: 0,
    ...answer.usage,
  };
}

const SIZES = [3, 1, 7, 2, 5];

/** Cuts a text into chunks, never inside of a character: providers send well-formed Unicode. */
export function chunksOf(text: string, answer: StreamedAnswer): string[] {
  const characters = [...text];
  const chunks: string[] = [];
  for (let start = 0, turn = 0; start < characters.length; turn += 1) {
    const size = Math.max(1, answer.chunkSize ?? SIZES[turn % SIZES.length] ?? 1);
    chunks.push(characters.slice(start, start + size).join(''));
    start += size;
  }
  return chunks;
}

/** The JSON text a model writes as a tool's input. */
export function inputText(call: { input: unknown } | { rawInput: string }): string {
  return 'rawInput' in call ? call.rawInput : escaped(JSON.stringify(call.input ?? {}));
}

function escaped(json: string): string {
  return json.replace(/[^\0-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/**
 * The bytes of a frame in two writes. The first one ends inside of a character: of its UTF-8 bytes, or of its
 * `\u` escape, which half of the frames use. A frame with ASCII alone is cut in its middle.
 */
export function writesOf(frame: Frame, index: number): [Buffer, Buffer] {
  const json = typeof frame.data === 'string' ? frame.data : JSON.stringify(frame.data);
  const data = index % 2 === 0 ? json : escaped(json);
  const bytes = Buffer.from(`${frame.event === undefined ? '' : `event: ${frame.event}\n`}data: ${data}\n\n`);
  const wide = bytes.findIndex((byte) => byte > 0x7f);
  const escapeAt = bytes.indexOf('\\u');
  const cut = wide !== -1 ? wide + 1 : escapeAt !== -1 ? escapeAt + 3 : bytes.length >> 1;
  return [bytes.subarray(0, cut), bytes.subarray(cut)];
}
