import type { Piece, RecordedRequest, StreamedAnswer } from './answer.ts';
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
import { openaiErrorBody, urlCitation } from './openai.ts';

/**
 * OpenAI chat completions. The format has no reasoning and no hosted search: those pieces are left out. All
 * texts are one text.
 */
export const openaiChatFormat: Format = { path: '/v1/chat/completions', encode, errorBody: openaiErrorBody };

type Delta = (delta: Record<string, unknown>, finish?: string) => Frame;

function encode(answer: StreamedAnswer, request: RecordedRequest): Encoded {
  const id = idsFor(request);
  const wantsUsage = asksForUsage(request);
  const base = {
    id: id('chatcmpl-'),
    object: 'chat.completion.chunk',
    created: Math.floor(Date.now() / 1000),
    model: modelOf(request),
    system_fingerprint: null,
  };
  // A stream that ends with the usage has a null for it in every other chunk.
  const noUsage = wantsUsage ? { usage: null } : {};
  const delta: Delta = (value, finish) => ({
    data: {
      ...base,
      choices: [{ index: 0, delta: value, logprobs: null, finish_reason: finish ?? null }],
      ...noUsage,
    },
  });
  const hasText = answer.pieces.some((piece) => 'text' in piece);
  const calls = answer.pieces.filter((piece) => 'call' in piece);
  const content = answer.pieces.flatMap((piece, place) => {
    if ('text' in piece) return textFrames(piece, answer, delta);
    if (!('call' in piece)) return [];
    const head = { index: calls.indexOf(piece), id: piece.id ?? id('call_', place), name: piece.call };
    return callFrames(head, inputText(piece), answer, delta);
  });
  const finishes = { length: 'length', 'content-filter': 'content_filter' };
  const finish = answer.finish ? finishes[answer.finish] : calls.length > 0 ? 'tool_calls' : 'stop';
  return {
    opening: [delta({ role: 'assistant', content: hasText ? '' : null })],
    content,
    closing: [
      delta({}, finish),
      ...(wantsUsage ? [{ data: { ...base, choices: [], usage: usage(answer) } }] : []),
      { data: '[DONE]' },
    ],
    error: { data: openaiErrorBody(500, 'The server had an error.') },
  };
}

function textFrames(
  { text, citations = [] }: Extract<Piece, { text: string }>,
  answer: StreamedAnswer,
  delta: Delta,
): Frame[] {
  const frames = chunksOf(text, answer).map((content) => ({ ...delta({ content }), chunk: true }));
  if (citations.length === 0) return frames;
  const annotations = citations.map((citation) => ({
    type: 'url_citation',
    url_citation: urlCitation(text, citation),
  }));
  return [...frames, delta({ annotations })];
}

function callFrames(
  { index, id, name }: { index: number; id: string; name: string },
  text: string,
  answer: StreamedAnswer,
  delta: Delta,
): Frame[] {
  const head = { index, id, type: 'function', function: { name, arguments: '' } };
  return [
    delta({ tool_calls: [head] }),
    ...chunksOf(text, answer).map((part) => ({
      ...delta({ tool_calls: [{ index, function: { arguments: part } }] }),
      chunk: true,
    })),
  ];
}

function asksForUsage({ json }: RecordedRequest): boolean {
  const options = json.stream_options;
  return (
    typeof options === 'object' && options !== null && 'include_usage' in options && !!options.include_usage
  );
}

function usage(answer: StreamedAnswer): unknown {
  const { inputTokens, cachedTokens, cacheWriteTokens, outputTokens, reasoningTokens } = usageOf(answer);
  return {
    prompt_tokens: inputTokens,
    completion_tokens: outputTokens,
    total_tokens: inputTokens + outputTokens,
    prompt_tokens_details: {
      cached_tokens: cachedTokens,
      ...(cacheWriteTokens > 0 && { cache_write_tokens: cacheWriteTokens }),
    },
    completion_tokens_details: { reasoning_tokens: reasoningTokens },
  };
}
