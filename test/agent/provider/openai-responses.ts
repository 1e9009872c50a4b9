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
import { openaiErrorBody, urlCitation } from './openai.ts';

/** OpenAI Responses. Reasoning carries encrypted content when the request's `include` asks for it. */
export const openaiResponsesFormat: Format = { path: '/v1/responses', encode, errorBody: openaiErrorBody };

/** An output item: its frames, and what it is when done. */
interface Item {
  frames: Frame[];
  done: Record<string, unknown>;
}

interface Context {
  answer: StreamedAnswer;
  index: number;
  id: (prefix: string) => string;
  includes: (what: string) => boolean;
}

function encode(answer: StreamedAnswer, request: RecordedRequest): Encoded {
  const makeId = idsFor(request);
  const include = Array.isArray(request.json.include) ? request.json.include : [];
  const items = answer.pieces.map((piece, index) =>
    itemOf(piece, {
      answer,
      index,
      id: (prefix) => makeId(prefix, index),
      includes: (what) => include.includes(what),
    }),
  );
  const base = {
    id: makeId('resp_'),
    object: 'response',
    created_at: Math.floor(Date.now() / 1000),
    model: modelOf(request),
    error: null,
    incomplete_details: null,
    store: request.json.store ?? true,
  };
  const open = { response: { ...base, status: 'in_progress', output: [], usage: null } };
  const opening = [frame('response.created', open), frame('response.in_progress', open)];
  const content = items.flatMap((item) => item.frames);
  const output = items.map((item) => item.done);
  const reasons = { length: 'max_output_tokens', 'content-filter': 'content_filter' };
  const status = answer.finish ? 'incomplete' : 'completed';
  const closing = [
    frame(`response.${status}`, {
      response: {
        ...base,
        status,
        incomplete_details: answer.finish ? { reason: reasons[answer.finish] } : null,
        output,
        usage: usage(answer),
      },
    }),
  ];
  const error = frame('error', { code: 'server_error', message: 'The server had an error.', param: null });
  return numbered({ opening, content, closing, error });
}

function itemOf(piece: Piece, context: Context): Item {
  if ('text' in piece) return messageItem(piece.text, piece.citations ?? [], context);
  if ('reasoning' in piece) {
    const parts = typeof piece.reasoning === 'string' ? [piece.reasoning] : piece.reasoning;
    return reasoningItem(parts, piece.signature ?? context.id('enc_'), context);
  }
  if ('redacted' in piece) return reasoningItem([], piece.redacted, context);
  if ('webSearch' in piece) return searchItem(piece.webSearch, piece.id ?? context.id('ws_'), context);
  return callItem(piece.call, piece.id ?? context.id('call_'), inputText(piece), context);
}

function messageItem(text: string, citations: Citation[], context: Context): Item {
  const { answer, index, id } = context;
  const item = { id: id('msg_'), type: 'message', role: 'assistant' };
  const at = { item_id: item.id, output_index: index, content_index: 0 };
  const annotations = citations.map((citation) => ({ type: 'url_citation', ...urlCitation(text, citation) }));
  const part = { type: 'output_text', text, annotations };
  return wrap(context, item, { content: [] }, { content: [part] }, [
    frame('response.content_part.added', { ...at, part: { ...part, text: '', annotations: [] } }),
    ...chunksOf(text, answer).map((delta) =>
      chunk('response.output_text.delta', { ...at, delta, logprobs: [] }),
    ),
    ...annotations.map((annotation, annotation_index) =>
      frame('response.output_text.annotation.added', { ...at, annotation_index, annotation }),
    ),
    frame('response.output_text.done', { ...at, text, logprobs: [] }),
    frame('response.content_part.done', { ...at, part }),
  ]);
}

function reasoningItem(texts: string[], encrypted: string, context: Context): Item {
  const { answer, index, id, includes } = context;
  const item = { id: id('rs_'), type: 'reasoning' };
  const asked = includes('reasoning.encrypted_content');
  const summary = texts.map((text) => ({ type: 'summary_text', text }));
  const frames = texts.flatMap((text, summary_index) => {
    const at = { item_id: item.id, output_index: index, summary_index };
    return [
      frame('response.reasoning_summary_part.added', { ...at, part: { type: 'summary_text', text: '' } }),
      ...chunksOf(text, answer).map((delta) =>
        chunk('response.reasoning_summary_text.delta', { ...at, delta }),
      ),
      frame('response.reasoning_summary_text.done', { ...at, text }),
      frame('response.reasoning_summary_part.done', { ...at, part: { type: 'summary_text', text } }),
    ];
  });
  // The item opens with encrypted content that isn't the final one: only the last is good for a replay.
  const early = { summary: [], encrypted_content: asked ? `early-${encrypted}` : null };
  return wrap(context, item, early, { summary, encrypted_content: asked ? encrypted : null }, frames, {});
}

function callItem(name: string, callId: string, text: string, context: Context): Item {
  const { answer, index, id } = context;
  const item = { id: id('fc_'), type: 'function_call', call_id: callId, name };
  const at = { item_id: item.id, output_index: index };
  return wrap(context, item, { arguments: '' }, { arguments: text }, [
    ...chunksOf(text, answer).map((delta) =>
      chunk('response.function_call_arguments.delta', { ...at, delta }),
    ),
    frame('response.function_call_arguments.done', { ...at, arguments: text }),
  ]);
}

function searchItem({ query, results }: WebSearch, itemId: string, context: Context): Item {
  const item = { id: itemId, type: 'web_search_call' };
  const at = { item_id: itemId, output_index: context.index };
  const found = Array.isArray(results);
  const sources = found ? results.map(({ url }) => ({ type: 'url', url })) : [];
  const asked = context.includes('web_search_call.action.sources');
  const action = { type: 'search', query, ...(asked && { sources }) };
  const status = { status: found ? 'completed' : 'failed' };
  return wrap(
    context,
    item,
    {},
    { action },
    [
      frame('response.web_search_call.in_progress', at),
      frame('response.web_search_call.searching', at),
      ...(found ? [frame('response.web_search_call.completed', at)] : []),
    ],
    status,
  );
}

function wrap(
  { index }: Context,
  item: Record<string, unknown>,
  early: Record<string, unknown>,
  final: Record<string, unknown>,
  frames: Frame[],
  finalStatus: Record<string, unknown> = { status: 'completed' },
): Item {
  const earlyStatus = 'status' in finalStatus ? { status: 'in_progress' } : {};
  const done = { ...item, ...finalStatus, ...final };
  return {
    frames: [
      frame('response.output_item.added', {
        output_index: index,
        item: { ...item, ...earlyStatus, ...early },
      }),
      ...frames,
      frame('response.output_item.done', { output_index: index, item: done }),
    ],
    done,
  };
}

function usage(answer: StreamedAnswer): unknown {
  const { inputTokens, cachedTokens, cacheWriteTokens, outputTokens, reasoningTokens } = usageOf(answer);
  return {
    input_tokens: inputTokens,
    input_tokens_details: {
      cached_tokens: cachedTokens,
      ...(cacheWriteTokens > 0 && { cache_write_tokens: cacheWriteTokens }),
    },
    output_tokens: outputTokens,
    output_tokens_details: { reasoning_tokens: reasoningTokens },
    total_tokens: inputTokens + outputTokens,
  };
}

/** Every event tells its place in the stream. */
function numbered({ opening, content, closing, error }: Encoded): Encoded {
  let next = 0;
  const number = (one: Frame): Frame => {
    const data: object = typeof one.data === 'object' && one.data !== null ? one.data : {};
    return { ...one, data: { ...data, sequence_number: next++ } };
  };
  const numberedContent = { opening: opening.map(number), content: content.map(number) };
  return { ...numberedContent, closing: closing.map(number), error: number(error) };
}

function frame(type: string, rest: Record<string, unknown>): Frame {
  return { event: type, data: { type, ...rest } };
}

function chunk(type: string, rest: Record<string, unknown>): Frame {
  return { ...frame(type, rest), chunk: true };
}
