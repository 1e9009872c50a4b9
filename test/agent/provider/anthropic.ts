import type { Citation, Piece, RecordedRequest, StreamedAnswer, WebSearch } from './answer.ts';
import {
  chunksOf,
  type Encoded,
  type Format,
  type Frame,
  idsFor,
  inputText,
  modelOf,
  usageOf,
} from './frames.ts';

/** Anthropic Messages. */
export const anthropicFormat: Format = { path: '/v1/messages', encode, errorBody };

function encode(answer: StreamedAnswer, request: RecordedRequest): Encoded {
  const id = idsFor(request);
  const content: Frame[] = [];
  let index = 0;
  for (const [place, piece] of answer.pieces.entries()) {
    for (const block of blocksOf(piece, place, answer, id)) {
      content.push(frame('content_block_start', { index, content_block: block.start }));
      // The first block is followed by a ping, as it is on the real API.
      if (index === 0) content.push(frame('ping', {}));
      for (const { delta, chunk } of block.deltas) {
        content.push({ ...frame('content_block_delta', { index, delta }), chunk });
      }
      content.push(frame('content_block_stop', { index }));
      index += 1;
    }
  }
  return { opening: [opening(answer, request)], content, closing: closing(answer), error: errorFrame() };
}

interface Block {
  start: unknown;
  deltas: { delta: unknown; chunk: boolean }[];
}

function blocksOf(
  piece: Piece,
  place: number,
  answer: StreamedAnswer,
  id: (prefix: string, index?: number) => string,
): Block[] {
  if ('text' in piece) {
    return [{ start: { type: 'text', text: '' }, deltas: textDeltas(piece.text, piece.citations, answer) }];
  }
  if ('reasoning' in piece) {
    const thinking = typeof piece.reasoning === 'string' ? piece.reasoning : piece.reasoning.join('\n\n');
    const signature = piece.signature ?? id('sig_', place);
    return [
      {
        start: { type: 'thinking', thinking: '', signature: '' },
        deltas: [
          ...chunksOf(thinking, answer).map((text) => chunk({ type: 'thinking_delta', thinking: text })),
          { delta: { type: 'signature_delta', signature }, chunk: false },
        ],
      },
    ];
  }
  if ('redacted' in piece) {
    return [{ start: { type: 'redacted_thinking', data: piece.redacted }, deltas: [] }];
  }
  if ('webSearch' in piece) return searchBlocks(piece.webSearch, piece.id ?? id('srvtoolu_', place), answer);
  const callId = piece.id ?? id('toolu_', place);
  const text = inputText(piece);
  return [
    {
      start: { type: 'tool_use', id: callId, name: piece.call, input: {} },
      // An empty input has no delta but the empty one.
      deltas: inputDeltas(text === '{}' ? '' : text, answer),
    },
  ];
}

function textDeltas(text: string, citations: Citation[] = [], answer: StreamedAnswer): Block['deltas'] {
  return [
    ...citations.map(({ url, title, citedText }) => ({
      delta: {
        type: 'citations_delta',
        citation: {
          type: 'web_search_result_location',
          cited_text: citedText,
          url,
          title,
          encrypted_index: Buffer.from(url).toString('base64'),
        },
      },
      chunk: false,
    })),
    ...chunksOf(text, answer).map((part) => chunk({ type: 'text_delta', text: part })),
  ];
}

function inputDeltas(text: string, answer: StreamedAnswer): Block['deltas'] {
  return [
    { delta: { type: 'input_json_delta', partial_json: '' }, chunk: false },
    ...chunksOf(text, answer).map((part) => chunk({ type: 'input_json_delta', partial_json: part })),
  ];
}

function searchBlocks({ query, results }: WebSearch, id: string, answer: StreamedAnswer): Block[] {
  const content = Array.isArray(results)
    ? results.map((result) => ({
        type: 'web_search_result',
        url: result.url,
        title: result.title,
        encrypted_content: result.encryptedContent ?? Buffer.from(result.title).toString('base64'),
        page_age: result.pageAge ?? null,
      }))
    : { type: 'web_search_tool_result_error', error_code: results.error };
  return [
    {
      start: { type: 'server_tool_use', id, name: 'web_search', input: {} },
      deltas: inputDeltas(inputText({ input: { query } }), answer),
    },
    { start: { type: 'web_search_tool_result', tool_use_id: id, content }, deltas: [] },
  ];
}

function opening(answer: StreamedAnswer, request: RecordedRequest): Frame {
  return frame('message_start', {
    message: {
      id: idsFor(request)('msg_'),
      type: 'message',
      role: 'assistant',
      model: modelOf(request),
      content: [],
      stop_reason: null,
      stop_sequence: null,
      usage: { ...inputUsage(answer), output_tokens: 1 },
    },
  });
}

function closing(answer: StreamedAnswer): Frame[] {
  const { outputTokens, reasoningTokens } = usageOf(answer);
  const calls = answer.pieces.some((piece) => 'call' in piece);
  const stops = { length: 'max_tokens', 'content-filter': 'refusal' };
  return [
    frame('message_delta', {
      delta: {
        stop_reason: answer.finish ? stops[answer.finish] : calls ? 'tool_use' : 'end_turn',
        stop_sequence: null,
      },
      usage: {
        ...inputUsage(answer),
        output_tokens: outputTokens,
        ...(reasoningTokens > 0 && { output_tokens_details: { thinking_tokens: reasoningTokens } }),
      },
    }),
    frame('message_stop', {}),
  ];
}

/** This format counts what was read from and written to the cache apart. */
function inputUsage(answer: StreamedAnswer): Record<string, number> {
  const { inputTokens, cachedTokens, cacheWriteTokens } = usageOf(answer);
  return {
    input_tokens: inputTokens - cachedTokens - cacheWriteTokens,
    cache_creation_input_tokens: cacheWriteTokens,
    cache_read_input_tokens: cachedTokens,
  };
}

function errorFrame(): Frame {
  return { event: 'error', data: errorBody(529, 'Overloaded') };
}

const ERROR_TYPES: Record<number, string> = {
  400: 'invalid_request_error',
  401: 'authentication_error',
  404: 'not_found_error',
  429: 'rate_limit_error',
  529: 'overloaded_error',
};

function errorBody(status: number, message: string): unknown {
  return { type: 'error', error: { type: ERROR_TYPES[status] ?? 'api_error', message } };
}

function frame(type: string, rest: Record<string, unknown>): Frame {
  return { event: type, data: { type, ...rest } };
}

function chunk(delta: unknown): { delta: unknown; chunk: boolean } {
  return { delta, chunk: true };
}
