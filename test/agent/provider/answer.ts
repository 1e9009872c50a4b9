import type { IncomingHttpHeaders } from 'node:http';

/** The wire formats: Anthropic Messages, OpenAI Responses, OpenAI chat completions. */
export type ProviderKind = 'anthropic' | 'openai-responses' | 'openai-chat';

export interface Citation {
  url: string;
  title: string;
  citedText: string;
}

export interface SearchResult {
  url: string;
  title: string;
  encryptedContent?: string;
  pageAge?: string;
}

export interface WebSearch {
  query: string;
  /** Either what was found, or the error code the search failed with. */
  results: SearchResult[] | { error: string };
}

/**
 * A piece of an answer, the same for all formats. Ids and signatures that aren't given are made from the
 * request's bytes, so that the same request gets the same ones, from whichever server and process.
 *
 * Chat completions know neither reasoning nor hosted searches: there `reasoning`, `redacted` and `webSearch`
 * are left out, and all texts of an answer flow into one.
 */
export type Piece =
  | { text: string; citations?: Citation[] }
  /** Several strings are several summary parts (Responses); one thinking block, joined, with Anthropic. */
  | { reasoning: string | string[]; signature?: string }
  /** Anthropic: a redacted thinking block. Responses: a reasoning item with nothing but encrypted content. */
  | { redacted: string }
  /** The input is written with `\u` escapes for all that isn't ASCII, which deltas cut through. */
  | { call: string; id?: string; input: unknown }
  /** The input's text as it is, well-formed JSON or not. */
  | { call: string; id?: string; rawInput: string }
  | { webSearch: WebSearch; id?: string };

/** Totals: `inputTokens` counts what was cached too, `outputTokens` the reasoning too. */
export interface AnswerUsage {
  inputTokens?: number;
  cachedTokens?: number;
  cacheWriteTokens?: number;
  outputTokens?: number;
  reasoningTokens?: number;
}

/**
 * An answer that is streamed. A chunk is a delta of text, of reasoning or of a tool's input; what opens and
 * closes blocks doesn't count. `…After: 0` is before any content; a number beyond the last chunk is after all
 * content, before the frames that tell the finish reason and the usage.
 */
export interface StreamedAnswer {
  pieces: Piece[];
  usage?: AnswerUsage;
  /** Default: tool calls when there are calls, else stop. */
  finish?: 'length' | 'content-filter';
  /** Characters of each chunk; by default few, and never the same number twice in a row. */
  chunkSize?: number;
  /** Pause before each chunk. */
  chunkMs?: number;
  /** Destroy the connection after this many chunks, in the middle of the next frame. */
  cutAfter?: number;
  /** Send no more after this many chunks, until the client goes away. */
  hangAfter?: number;
  /** Send the format's error frame after this many chunks, and end the response. */
  errorAfter?: number;
  /** End the response after this many chunks as if it were whole, as some proxies do. */
  endAfter?: number;
}

/** An answer that is an HTTP error. */
export interface RefusedAnswer {
  status: number;
  retryAfterSeconds?: number;
  message?: string;
}

export type Answer = StreamedAnswer | RefusedAnswer;

export interface RecordedRequest {
  /** Its place among the server's requests, from 0. */
  index: number;
  kind: ProviderKind;
  path: string;
  headers: IncomingHttpHeaders;
  /** The exact text of the body. */
  body: string;
  json: Record<string, unknown>;
  /** True once the client has gone away before the answer's end. */
  closedByClient: boolean;
}

/** A list answers one request after the other, refusals included; a request beyond its end is a 400. */
export type Script = Answer[] | ((request: RecordedRequest, index: number) => Answer | Promise<Answer>);

export function isRefused(answer: Answer): answer is RefusedAnswer {
  return 'status' in answer;
}
