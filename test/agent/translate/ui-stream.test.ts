import {
  createUIMessageStreamResponse,
  readUIMessageStream,
  type UIMessage as SdkUIMessage,
  uiMessageChunkSchema,
  validateUIMessages,
} from 'ai';
import { describe, expect, it } from 'vitest';
import type { AgentStreamPart } from '../../../src/agent/stream-part.ts';
import type { UIMessageChunk } from '../../../src/agent/translate/ui-message.ts';
import { toUIMessages } from '../../../src/agent/translate/ui-messages.ts';
import type { UIMessageStreamOptions } from '../../../src/agent/translate/ui-options.ts';
import { toUIMessageStream } from '../../../src/agent/translate/ui-stream.ts';

const call = { toolCallId: 'a', toolName: 'read', input: { path: 'x' }, callSeq: 3 };
const usage = { inputTokens: 1 };

/** A turn of two steps: reasoning, a tool call, and the answer. */
const turn: AgentStreamPart[] = [
  { type: 'start', turnId: 't', cursor: 1 },
  { type: 'start-step', stepNumber: 0 },
  { type: 'raw', rawValue: {} },
  { type: 'reasoning-start', id: 'r' },
  { type: 'reasoning-delta', id: 'r', text: 'hm' },
  { type: 'reasoning-end', id: 'r', providerMetadata: { anthropic: { signature: 'abc' } } },
  { type: 'tool-input-start', id: 'a', toolName: 'read' },
  { type: 'tool-input-delta', id: 'a', delta: '{"path":' },
  { type: 'tool-input-delta', id: 'a', delta: '"x"}' },
  { type: 'tool-input-end', id: 'a' },
  { type: 'tool-call', ...call, cursor: 3 },
  { type: 'tool-result', ...call, output: 'half', preliminary: true },
  { type: 'tool-result', ...call, output: { n: 1 }, cursor: 4 },
  { type: 'finish-step', stepNumber: 0, finishReason: 'tool-calls', usage, cursor: 6 },
  { type: 'start-step', stepNumber: 1 },
  { type: 'source', sourceType: 'url', id: 's', url: 'https://a.test/', title: 'A' },
  {
    type: 'source',
    sourceType: 'document',
    id: 'd',
    mediaType: 'application/pdf',
    title: 'B',
    filename: 'b.pdf',
  },
  { type: 'text-start', id: '0' },
  { type: 'text-delta', id: '0', text: 'It is ' },
  { type: 'text-delta', id: '0', text: 'one.' },
  { type: 'text-end', id: '0' },
  { type: 'file', file: { base64: 'AAAA', mediaType: 'image/png' } },
  { type: 'finish-step', stepNumber: 1, finishReason: 'stop', usage, cursor: 8 },
  { type: 'finish', status: 'completed', finishReason: 'stop', totalUsage: usage, cursor: 9 },
];

async function* iterate(parts: readonly AgentStreamPart[]): AsyncGenerator<AgentStreamPart> {
  yield* parts;
}

/** The chunks for some parts, each of which the SDK's schema accepts. */
async function chunksOf(
  parts: readonly AgentStreamPart[],
  options?: UIMessageStreamOptions,
): Promise<UIMessageChunk[]> {
  const chunks: UIMessageChunk[] = [];
  const schema = uiMessageChunkSchema();
  for await (const chunk of toUIMessageStream(iterate(parts), options)) {
    const checked = await schema.validate?.(JSON.parse(JSON.stringify(chunk)));
    expect(checked).toMatchObject({ success: true });
    chunks.push(chunk);
  }
  return chunks;
}

/** The message that a reader ends up with. */
async function messageOf(
  parts: readonly AgentStreamPart[],
  options?: UIMessageStreamOptions & { message?: SdkUIMessage },
): Promise<SdkUIMessage> {
  let last: SdkUIMessage | undefined;
  const { message, ...rest } = options ?? {};
  const stream = toUIMessageStream(iterate(parts), rest);
  const onError = (error: unknown): void => {
    throw error;
  };
  const started = message === undefined ? {} : { message };
  for await (const state of readUIMessageStream({ stream, onError, ...started })) last = state;
  if (last === undefined) throw new Error('no message');
  return last;
}

describe('toUIMessageStream', () => {
  it('shows a turn as useChat reads it', async () => {
    const message = await messageOf(turn, { messageId: 'msg-1' });
    expect(JSON.parse(JSON.stringify(message))).toEqual({
      id: 'msg-1',
      role: 'assistant',
      metadata: { cursor: 9 },
      parts: [
        { type: 'step-start' },
        {
          type: 'reasoning',
          id: 'r',
          text: 'hm',
          state: 'done',
          providerMetadata: { anthropic: { signature: 'abc' } },
        },
        {
          type: 'tool-read',
          toolCallId: 'a',
          state: 'output-available',
          input: { path: 'x' },
          output: { n: 1 },
        },
        { type: 'step-start' },
        { type: 'text', text: 'It is one.', state: 'done' },
        { type: 'file', mediaType: 'image/png', url: 'data:image/png;base64,AAAA' },
      ],
    });
    await validateUIMessages({ messages: [message] });
  });

  it('says with each stored thing which cursor to go on after', async () => {
    const chunks = await chunksOf(turn);
    expect(chunks[0]).toEqual({ type: 'start', messageMetadata: { cursor: 1 } });
    expect(chunks.at(-1)).toEqual({ type: 'finish', finishReason: 'stop', messageMetadata: { cursor: 9 } });
    const cursors = chunks.flatMap((chunk, i) =>
      chunk.type === 'message-metadata' ? [[chunks[i - 1]?.type, chunk.messageMetadata.cursor]] : [],
    );
    expect(cursors).toEqual([
      ['tool-input-available', 3],
      ['tool-output-available', 4],
      ['finish-step', 6],
      ['finish-step', 8],
    ]);
  });

  it('is a stream that the SDK makes a response of', async () => {
    const response = createUIMessageStreamResponse({ stream: toUIMessageStream(iterate(turn)) });
    const body = await response.text();
    expect(body).toContain('data: {"type":"text-delta","id":"0","delta":"one."}');
    expect(body.trimEnd().endsWith('data: [DONE]')).toBe(true);
  });

  it('leaves reasoning out and lets sources in when asked to', async () => {
    const chunks = await chunksOf(turn, { sendReasoning: false, sendSources: true });
    expect(chunks.filter(({ type }) => type.startsWith('reasoning'))).toEqual([]);
    expect(chunks.filter(({ type }) => type.startsWith('source'))).toEqual([
      { type: 'source-url', sourceId: 's', url: 'https://a.test/', title: 'A' },
      { type: 'source-document', sourceId: 'd', mediaType: 'application/pdf', title: 'B', filename: 'b.pdf' },
    ]);
  });

  it('shows a waiting approval, and what came of it in the next turn', async () => {
    const asked = await messageOf([
      ...turn.slice(0, 2),
      { type: 'tool-call', ...call },
      { type: 'tool-approval-request', approvalId: '3', toolCall: call, cursor: 4 },
      { type: 'finish', status: 'awaiting_approval', finishReason: 'tool-calls', totalUsage: usage },
    ]);
    expect(asked.parts[1]).toMatchObject({ state: 'approval-requested', approval: { id: '3' } });

    const more: AgentStreamPart[] = [
      { type: 'start', turnId: 't2', cursor: 6 },
      { type: 'tool-result', ...call, output: 'done', cursor: 7 },
      { type: 'start-step', stepNumber: 1 },
      { type: 'text-delta', id: '0', text: 'So.' },
      { type: 'finish-step', stepNumber: 1, finishReason: 'stop', usage },
    ];
    const expected = [
      { type: 'step-start' },
      { type: 'tool-read', state: 'output-available', output: 'done' },
      { type: 'step-start' },
      { type: 'text', text: 'So.', state: 'done' },
    ];
    const reloaded = toUIMessages([
      { role: 'assistant', content: [{ type: 'tool_use', id: 'a', name: 'read', input: call.input }] },
    ]) as SdkUIMessage[];
    expect((await messageOf(more, { message: asked })).parts).toMatchObject(expected);
    expect((await messageOf(more, reloaded[0] && { message: reloaded[0] })).parts).toMatchObject(expected);
    // Somebody who has seen nothing of the turn before.
    expect((await messageOf(more)).parts).toMatchObject(expected.slice(1));
  });

  it('shows a denial', async () => {
    const message = await messageOf([
      ...turn.slice(0, 2),
      { type: 'tool-call', ...call },
      { type: 'tool-approval-request', approvalId: '3', toolCall: call },
      { type: 'tool-output-denied', ...call, cursor: 5 },
    ]);
    expect(message.parts[1]).toMatchObject({ state: 'output-denied', approval: { id: '3' } });
  });

  it('shows what a failed tool said, and no other error', async () => {
    const parts: AgentStreamPart[] = [
      { type: 'tool-call', ...call },
      { type: 'tool-error', ...call, error: 'No such file' },
      { type: 'error', error: new Error('password=secret') },
    ];
    const errors = (chunks: UIMessageChunk[]) =>
      chunks.flatMap((c) => ('errorText' in c ? [c.errorText] : []));
    expect(errors(await chunksOf(parts))).toEqual(['No such file', 'An error occurred.']);
    const onError = (error: unknown) => `Sorry: ${error instanceof Error ? error.message : error}`;
    expect(errors(await chunksOf(parts, { onError }))).toEqual([
      'Sorry: No such file',
      'Sorry: password=secret',
    ]);
  });

  it('can be entered in the middle of a step', async () => {
    const middle = turn.slice(turn.findIndex((part) => part.type === 'text-delta') + 1);
    expect((await messageOf(middle)).parts).toMatchObject([
      { type: 'text', text: 'one.', state: 'done' },
      { type: 'file' },
    ]);
    expect(
      await chunksOf([
        { type: 'text-end', id: '0' },
        { type: 'tool-input-delta', id: 'a', delta: '{' },
      ]),
    ).toEqual([]);
  });

  it('ends what was cut off', async () => {
    const cut: AgentStreamPart[] = [
      { type: 'start-step', stepNumber: 0 },
      { type: 'text-start', id: '0' },
      { type: 'text-delta', id: '0', text: 'Half' },
    ];
    expect(await chunksOf([...cut, { type: 'abort', reason: 'stopped' }])).toEqual([
      { type: 'start-step' },
      { type: 'text-start', id: '0' },
      { type: 'text-delta', id: '0', delta: 'Half' },
      { type: 'text-end', id: '0' },
      { type: 'abort', reason: 'stopped' },
    ]);
    expect((await chunksOf(cut)).at(-1)).toEqual({ type: 'text-end', id: '0' });
  });

  it('gives an output to a tool that gave none, and a known reason for the end', async () => {
    const chunks = await chunksOf([
      { type: 'tool-result', ...call, output: undefined },
      { type: 'finish', status: 'interrupted', finishReason: 'interrupted', totalUsage: {} },
    ]);
    expect(chunks).toContainEqual({ type: 'tool-output-available', toolCallId: 'a', output: null });
    expect(chunks).toContainEqual({ type: 'finish', finishReason: 'other' });
  });

  it('ends with an error when the parts do', async () => {
    async function* failing(): AsyncGenerator<AgentStreamPart> {
      yield { type: 'text-delta', id: '0', text: 'Half' };
      throw new Error('secret');
    }
    const chunks: UIMessageChunk[] = [];
    for await (const chunk of toUIMessageStream(failing())) chunks.push(chunk);
    expect(chunks.slice(-2)).toEqual([
      { type: 'text-end', id: '0' },
      { type: 'error', errorText: 'An error occurred.' },
    ]);
  });

  it('takes a part only when it is read, and stops when it is cancelled', async () => {
    let taken = 0;
    let ended = false;
    async function* counted(): AsyncGenerator<AgentStreamPart> {
      try {
        for (const part of turn) {
          taken += 1;
          yield part;
        }
      } finally {
        ended = true;
      }
    }
    const reader = toUIMessageStream(counted()).getReader();
    expect(taken).toBe(0);
    await reader.read();
    expect(taken).toBe(1);
    await reader.cancel();
    expect(ended).toBe(true);
    expect(taken).toBe(1);
  });
});
